import bcryptjs from "bcryptjs";
import type { PasswordAlgorithm } from "./algorithm.ts";
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
  isHash: (hash) => /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash),
  verify: (password, hash) => bcryptjs.compare(password, hash),
};
