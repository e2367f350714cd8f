import { complain } from './systemd-journal.ts';

/** Called with the name of a background task that failed, and the reason. */
type Report = (task: string, error: unknown) => void;

let report: Report = (task, error) => {
  complain(`clickmilter: ${task}: ${error instanceof Error ? error.message : error}`);
};
let watching = false;

/**
 * Sends failures of background tasks to the log from now on. Rejections that no code handles are
 * among them: they would end the process.
 */
export function reportBackgroundFailures(to: Report): void {
  report = to;
  if (watching) return;
  watching = true;
  process.on('unhandledRejection', (error) => report('unnamed task', error));
}

/**
 * Runs a task that nobody waits for. Its failure is reported, and goes no further.
 * @param task what it does, for the report: `write the counters`
 */
export function inBackground(task: string, run: () => unknown): void {
  const failed = (error: unknown) => report(task, error);
  try {
    Promise.resolve(run()).catch(failed);
  } catch (error) {
    failed(error);
  }
}
