import { StoreUnavailable } from '../link/link-store.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

/** @throws CommandFailed (69) where the store cannot be used at the moment */
export async function whileAvailable<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    throw new CommandFailed(exitCode.unavailable, error.message);
  }
}
