import { inBackground } from '../lib/background.ts';

/** How often the store is looked at. */
const LOOK_MS = 60_000;

/**
 * Says what an operator should know of the store: at once, and later when it becomes true, as that the click stream
 * is nearly full. What goes on being true is said once. That the store is away is said elsewhere.
 * @returns what ends it
 */
export function watchStore(
  health: () => Promise<{ readonly warnings: readonly string[] }>,
  warn: (warning: string) => void,
  lookMs = LOOK_MS,
): () => void {
  let said = new Set<string>();
  const look = async () => {
    const warnings = await health().then(
      (found) => found.warnings,
      () => undefined,
    );
    if (warnings === undefined) return;
    for (const warning of warnings) if (!said.has(kindOf(warning))) warn(warning);
    said = new Set(warnings.map(kindOf));
  };
  const lookInBackground = () => inBackground('watch the store', look);
  lookInBackground();
  const timer = setInterval(lookInBackground, lookMs).unref();
  return () => clearInterval(timer);
}

/** The same warning with another number is nothing new. */
function kindOf(warning: string): string {
  return warning.replace(/\d+/g, '');
}
