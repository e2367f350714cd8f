import { type Fields, type Logger, silent } from '../lib/logger.ts';

/**
 * Prints the warnings of the store, such as a file that is left out, for commands that go on without it. An error ends the
 * command, which prints it itself.
 */
export const stderrLogger: Logger = {
  ...silent,
  warn(first: Fields | string, message?: string) {
    const [fields, text] = typeof first === 'string' ? [{}, first] : [first, message];
    process.stderr.write(`clickmilter: ${[text, ...Object.values(fields)].join(': ')}\n`);
  },
};
