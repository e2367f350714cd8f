/** Whether this is what a Redis answers that does not let us run scripts: our ACL lacks +eval, or it has no EVAL at all. */
export function areScriptsRefused(error: unknown): boolean {
  return error instanceof Error && /^(NOPERM|ERR unknown command)/.test(error.message);
}
