import { ThreadWorker } from "poolifier-web-worker";
import spin from "./spin.ts";

export default new ThreadWorker<number, number>((turns) => spin(turns!));
