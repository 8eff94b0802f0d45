import workerpool from "workerpool";
import spin from "./spin.ts";

workerpool.worker({ spin });
