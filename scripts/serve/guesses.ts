import { isIP } from "node:net";
import type { Asked } from "./http_server.ts";
import { GuessLimit, networkOf } from "./guess_limit.ts";

/** Milliseconds in which all guesses become available again. */
const PERIOD = 600_000;

/** Options of {@linkcode Guesses}. */
export interface GuessesOptions {
  readonly perUser: number;
  readonly perAddress: number;
  /** The header in which a proxy tells the address of its client. */
  readonly clientHeader: string | undefined;
  /** Called with a sentence for whoever runs the service. */
  readonly log: (sentence: string) => void;
}

/** A guess that was allowed, or when to come back. */
export type Guess = { readonly retryAfter: number } | { giveBack(): void };

/** Limits failed log-ins, by the user and by the address that they come from. */
export class Guesses {
  readonly #users: GuessLimit;
  readonly #addresses: GuessLimit;
  readonly #clientHeader: string | undefined;
  readonly #log: (sentence: string) => void;
  #warned = false;

  constructor({ perUser, perAddress, clientHeader, log }: GuessesOptions) {
    this.#users = new GuessLimit({ burst: perUser, period: PERIOD });
    this.#addresses = new GuessLimit({ burst: perAddress, period: PERIOD });
    this.#clientHeader = clientHeader;
    this.#log = log;
  }

  /** Takes a guess of an address, and of a user if one is named. */
  take(asked: Asked, user?: string): Guess {
    const address = networkOf(this.#addressOf(asked));
    const late = this.#addresses.take(address);
    if (late > 0) return { retryAfter: late };
    const lateUser = user === undefined ? 0 : this.#users.take(user);
    if (lateUser > 0) {
      this.#addresses.giveBack(address);
      return { retryAfter: lateUser };
    }
    return {
      giveBack: () => {
        this.#addresses.giveBack(address);
        if (user !== undefined) this.#users.giveBack(user);
      },
    };
  }

  #addressOf(asked: Asked): string {
    const { remoteAddress } = asked;
    if (this.#clientHeader === undefined) {
      if (!this.#warned && asked.header("x-forwarded-for") !== undefined) {
        this.#warned = true;
        this.#log(
          "Requests come through a proxy, so that all clients count as one: see --client-header",
        );
      }
      return remoteAddress;
    }
    // What the client itself has written comes first.
    const last = asked.header(this.#clientHeader)?.split(",").at(-1)?.trim() ?? "";
    return isIP(last) === 0 ? remoteAddress : last;
  }
}
