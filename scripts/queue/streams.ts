import {
  AckPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from "@nats-io/jetstream";
import { nanos, type NatsConnection } from "@nats-io/transport-node";
import { ScriptError } from "../cli/run.ts";

/** Headers of a job. */
export const HEADERS = {
  /** The job's name. */
  id: "Nats-Msg-Id",
  /** The id of the key that it is sealed with. */
  key: "Burst-Key",
  /** Why a job is dead, and how often it was delivered before. */
  reason: "Burst-Reason",
  deliveries: "Burst-Deliveries",
};

/** The name of the consumer that all workers share. */
export const CONSUMER = "workers";

/** The streams of the jobs and of the dead ones. */
export class Streams {
  readonly manager: JetStreamManager;
  readonly name: string;
  readonly deadName: string;
  /** Subjects. */
  readonly jobs: string;
  readonly dead: string;

  private constructor(manager: JetStreamManager, name: string) {
    this.manager = manager;
    this.name = name;
    this.deadName = `${name}-dead`;
    this.jobs = `${name}.jobs`;
    this.dead = `${name}.dead`;
  }

  static async open(connection: NatsConnection, name: string): Promise<Streams> {
    return new Streams(await jetstreamManager(connection), name);
  }

  /** Makes the streams, unless they are there. Jobs are kept in files until they are done. */
  async create(
    { replicas, dedupWindow }: { replicas: number; dedupWindow: number },
  ): Promise<void> {
    const common = {
      storage: StorageType.File,
      num_replicas: replicas,
      duplicate_window: nanos(dedupWindow),
    };
    for (
      const [name, subject, retention] of [
        [this.name, this.jobs, RetentionPolicy.Workqueue],
        [this.deadName, this.dead, RetentionPolicy.Limits],
      ] as const
    ) {
      if (await this.#info(name) !== undefined) continue;
      await this.manager.streams.add({ name, subjects: [subject], retention, ...common });
    }
  }

  /**
   * Checks that the streams are there, and fit.
   *
   * @throws {ScriptError} If not.
   */
  async check(): Promise<void> {
    for (const name of [this.name, this.deadName]) {
      const info = await this.#info(name);
      if (info === undefined) {
        throw new ScriptError(
          `Cannot find the stream '${name}': use --create-stream, or check --stream`,
        );
      }
      const isQueue = info.config.retention === RetentionPolicy.Workqueue;
      if (isQueue === (name === this.name)) continue;
      throw new ScriptError(
        `Cannot use the stream '${name}' as its retention is '${info.config.retention}': choose another --stream`,
      );
    }
  }

  /**
   * Checks that what waits is sealed with this key.
   *
   * @throws {ScriptError} If not.
   */
  async checkKey(keyId: string): Promise<void> {
    const query = { last_by_subj: this.jobs };
    const last = await this.manager.streams.getMessage(this.name, query).catch(() => null);
    const other = last?.header?.get(HEADERS.key);
    if (other === undefined || other === "" || other === keyId) return;
    throw new ScriptError(
      `Cannot use this key as the jobs in the stream '${this.name}' are sealed with another one: check --key-file, or choose another --stream`,
    );
  }

  /** Makes the consumer that all workers share, or changes its settings. */
  async createConsumer({ ackWait }: { ackWait: number }): Promise<void> {
    await this.manager.consumers.add(this.name, {
      durable_name: CONSUMER,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ackWait),
      // The workers count deliveries themselves, as what exceeds it here would be stuck for ever.
      max_deliver: -1,
      // Each worker takes only so many. The server's own 1,000 would starve the fourth machine.
      max_ack_pending: 50_000,
    });
  }

  /** Counts jobs. */
  async count(): Promise<Counts> {
    const [jobs, dead] = await Promise.all([this.#info(this.name), this.#info(this.deadName)]);
    if (jobs === undefined) await this.check();
    const { messages, last_seq: published } = jobs!.state;
    const consumer = await this.manager.consumers.info(this.name, CONSUMER).catch((error) => {
      if (isApiError(error, JetStreamApiCodes.ConsumerNotFound)) return undefined;
      throw error;
    });
    const inWork = Math.min(messages, consumer?.num_ack_pending ?? 0);
    // Who looks after the dead may have taken some of them out.
    const died = dead?.state.last_seq ?? 0;
    return {
      waiting: messages - inWork,
      inWork,
      done: Math.max(0, published - messages - died),
      dead: dead?.state.messages ?? 0,
    };
  }

  async #info(name: string): Promise<StreamInfo | undefined> {
    try {
      return await this.manager.streams.info(name);
    } catch (error) {
      if (isApiError(error, JetStreamApiCodes.StreamNotFound)) return undefined;
      throw error;
    }
  }
}

/** Where the jobs are. */
export interface Counts {
  /** No worker has them. */
  readonly waiting: number;
  /** A worker has them, or has died with them. */
  readonly inWork: number;
  readonly done: number;
  readonly dead: number;
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

/** Whether an error says that the stream or its consumer is gone. */
export function isGone(error: unknown): boolean {
  return isApiError(error, JetStreamApiCodes.StreamNotFound) ||
    isApiError(error, JetStreamApiCodes.ConsumerNotFound);
}
