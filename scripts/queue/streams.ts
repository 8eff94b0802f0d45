import {
  AckPolicy,
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StoredMsg,
  type StreamInfo,
} from "@nats-io/jetstream";
import { nanos, type NatsConnection } from "@nats-io/transport-node";
import { grouped } from "../cli/numbers.ts";
import { ScriptError } from "../cli/run.ts";

/** Headers of a job. */
export const HEADERS = {
  /** The job's name. */
  id: "Nats-Msg-Id",
  /** The id of the key that it is sealed with. */
  key: "Burst-Key",
  /** Stands where a job is a whole row, for a function of the user's, instead of a password. */
  rows: "Burst-Rows",
  /** Why a job is dead, and how often it was delivered before. */
  reason: "Burst-Reason",
  deliveries: "Burst-Deliveries",
  /** The size of a job in bytes that is dead and was too large to be kept whole. */
  size: "Burst-Size",
};

/** What the description of a stream begins with, and the id of its key follows. */
const KEY_LABEL = "Burst jobs, key ";

/** The server's code for a stream that is there, and has another configuration. */
const NAME_IN_USE = 10058;

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

  /**
   * Makes the streams, unless they are there. Jobs are kept in files until they are done, and the
   * stream tells which key they are sealed with: who may only publish cannot change that.
   */
  async create({ replicas, dedupWindow, keyId }: {
    replicas: number;
    dedupWindow: number;
    keyId: string;
  }): Promise<void> {
    const common = {
      storage: StorageType.File,
      num_replicas: replicas,
      duplicate_window: nanos(dedupWindow),
      discard: DiscardPolicy.New,
    };
    for (
      const [name, subject, retention, description] of [
        [this.name, this.jobs, RetentionPolicy.Workqueue, KEY_LABEL + keyId],
        [this.deadName, this.dead, RetentionPolicy.Limits, undefined],
      ] as const
    ) {
      const info = await this.#info(name);
      if (info === undefined) {
        const config = { name, subjects: [subject], retention, description, ...common };
        await this.manager.streams.add(config).catch((error) => {
          // Somebody else has made it meanwhile, perhaps with other flags.
          if (!isApiError(error, NAME_IN_USE)) throw error;
        });
      } else if (name === this.name && info.state.messages === 0 && isOtherKey(info, keyId)) {
        // Nothing is sealed with the old key any more.
        await this.manager.streams.update(name, { ...info.config, description });
      }
    }
  }

  /**
   * Checks that the streams are there, and keep whatever they are given.
   *
   * @returns The largest message that each of them takes, in bytes, where it has a limit of its own.
   * @throws {ScriptError} If not.
   */
  async check(
    { keyId, note }: { keyId: string; note: (sentence: string) => void },
  ): Promise<{ readonly jobs: number; readonly dead: number }> {
    const [jobs, dead] = await Promise.all([
      this.#checkOne(this.name, this.jobs, RetentionPolicy.Workqueue),
      this.#checkOne(this.deadName, this.dead, RetentionPolicy.Limits),
    ]);
    if (jobs.config.max_age > 0) {
      throw unusable(this.name, "it deletes jobs after a time: set its max_age to 0");
    }
    if (dead.config.max_age > 0) {
      const seconds = dead.config.max_age / nanos(1_000);
      note(`The stream '${this.deadName}' deletes what is in it after ${grouped(seconds)} s`);
    }
    for (const { config: { name, storage } } of [jobs, dead]) {
      if (storage === StorageType.File) continue;
      note(`The stream '${name}' is in memory: jobs are lost when all its servers stop`);
    }
    if (isOtherKey(jobs, keyId)) {
      throw new ScriptError(
        `Cannot use this key as the jobs in the stream '${this.name}' are sealed with another one: check --key-file, or choose another --stream`,
      );
    }
    return { jobs: limitOf(jobs), dead: limitOf(dead) };
  }

  async #checkOne(name: string, subject: string, retention: RetentionPolicy): Promise<StreamInfo> {
    const info = await this.#info(name);
    if (info === undefined) {
      throw new ScriptError(
        `Cannot find the stream '${name}': use --create-stream, or check --stream`,
      );
    }
    const { config } = info;
    if ((config.retention === RetentionPolicy.Workqueue) !== (retention === "workqueue")) {
      throw new ScriptError(
        `Cannot use the stream '${name}' as its retention is '${config.retention}': choose another --stream`,
      );
    }
    if (!config.subjects?.includes(subject)) {
      throw unusable(name, `it does not take the subject '${subject}': add that to its subjects`);
    }
    if (config.no_ack) {
      throw unusable(name, "it does not tell what it has stored: set its no_ack to false");
    }
    const isLimited = config.max_msgs > 0 || config.max_bytes > 0 ||
      config.max_msgs_per_subject > 0;
    if (isLimited && config.discard !== DiscardPolicy.New) {
      throw unusable(name, "it deletes old messages when it is full: set its discard to 'new'");
    }
    if (config.max_msgs_per_subject > 0 && !config.discard_new_per_subject) {
      throw unusable(
        name,
        "it deletes old messages of a subject: set its max_msgs_per_subject to -1",
      );
    }
    return info;
  }

  /**
   * Checks that the stream and its consumer are still there.
   *
   * @throws {ScriptError} If not.
   */
  async checkConsumer(): Promise<void> {
    try {
      await this.manager.consumers.info(this.name, CONSUMER);
    } catch (error) {
      if (!isGone(error)) throw error;
      throw new ScriptError(
        `Cannot go on as the stream '${this.name}' or its consumer was deleted: start workers again once it is there`,
      );
    }
  }

  /**
   * Checks that what waits is of one kind.
   *
   * @param rows Whether it is to be whole rows.
   * @throws {ScriptError} If it is not. The message says which flag does it.
   */
  async checkKind(rows: boolean, flag: "--rows" | "--work"): Promise<void> {
    const last = await this.#last();
    if (last === null || rows === (last.header?.get(HEADERS.rows) === "1")) return;
    throw new ScriptError(
      `Cannot use the stream '${this.name}' as the jobs in it are ${
        rows ? "passwords to hash: leave out" : "whole rows, for a function of yours: use"
      } ${flag}, or choose another --stream`,
    );
  }

  async #last(): Promise<StoredMsg | null> {
    const query = { last_by_subj: this.jobs };
    return await this.manager.streams.getMessage(this.name, query).catch(() => null);
  }

  /**
   * Makes the consumer that all workers share, or changes its settings.
   *
   * @throws {ScriptError} If somebody has made one of that name that cannot be shared.
   */
  async createConsumer({ ackWait }: { ackWait: number }): Promise<void> {
    await this.manager.consumers.add(this.name, {
      durable_name: CONSUMER,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ackWait),
      // The workers count deliveries themselves, as what exceeds it here would be stuck for ever.
      max_deliver: -1,
      // Each worker takes only so many. The server's own 1,000 would starve the fourth machine.
      max_ack_pending: 50_000,
    }).catch(async (error) => {
      const found = await this.manager.consumers.info(this.name, CONSUMER).catch(() => undefined);
      if (found?.config.deliver_subject === undefined) throw error;
      throw new ScriptError(
        `Cannot use the consumer '${CONSUMER}' of the stream '${this.name}' as it pushes jobs, and workers ask for theirs: delete it, or make it again under another name`,
      );
    });
  }

  /** Counts jobs. */
  async count(): Promise<Counts> {
    const [jobs, dead] = await Promise.all([this.#info(this.name), this.#info(this.deadName)]);
    if (jobs === undefined) {
      throw new ScriptError(`Cannot find the stream '${this.name}': check --stream`);
    }
    const { messages, last_seq: published } = jobs.state;
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

function unusable(name: string, why: string): ScriptError {
  return new ScriptError(`Cannot use the stream '${name}' as ${why}, or choose another --stream`);
}

/** Whether the stream says that its jobs are sealed with another key. */
function isOtherKey({ config: { description = "" } }: StreamInfo, keyId: string): boolean {
  return description.startsWith(KEY_LABEL) && description !== KEY_LABEL + keyId;
}

function limitOf({ config: { max_msg_size: limit = -1 } }: StreamInfo): number {
  return limit > 0 ? limit : Infinity;
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

/** Whether an error says that the stream or its consumer is gone. */
export function isGone(error: unknown): boolean {
  return isApiError(error, JetStreamApiCodes.StreamNotFound) ||
    isApiError(error, JetStreamApiCodes.ConsumerNotFound);
}
