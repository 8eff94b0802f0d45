import bcryptjs from "bcryptjs";
import type { PasswordAlgorithm } from "./algorithm.ts";
import { parseBcrypt } from "./bcrypt_format.ts";
import { checkPassword } from "./password.ts";

/** bcrypt: its cost is time. It sees 72 bytes of a password, and stops at a NUL. */
export const bcrypt: PasswordAlgorithm = {
  name: "bcrypt",
  parameters: {
    cost: {
      description: "binary logarithm of the rounds: one more takes twice the time",
      default: 12,
      min: 4,
      max: 31,
    },
  },
  check: (password) => checkPassword(password),
  memoryOf: () => 4168,
  hash: (password, { cost }) => bcryptjs.hash(password, cost),
  hashSync: (password, { cost }) => bcryptjs.hashSync(password, cost),
  prefix: /^\$2[a-z]?\$/,
  checkHash(hash, intent) {
    const match = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash);
    if (match === null) {
      throw new TypeError(
        `Cannot ${intent} as its bcrypt hash is not $2a$, $2b$ or $2y$, a cost of two digits, $, and 53 characters`,
      );
    }
    if (parseBcrypt(hash) !== undefined) return;
    throw new RangeError(
      `Cannot ${intent} as its hash has the bcrypt cost ${match[1]}, which must be from 04 to 31`,
    );
  },
  verify: (password, hash) => bcryptjs.compare(password, hash),
};
