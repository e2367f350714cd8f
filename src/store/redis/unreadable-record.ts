import { StoreUnavailable } from '../../link/link-store.ts';

/** Redis has given a record, or what it builds on, that this release cannot make sense of, however often it asks. */
export class UnreadableRecord extends StoreUnavailable {}
