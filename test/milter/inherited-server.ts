import { createMilterServer } from '../../src/milter/milter.ts';

// A milter on the listening socket that its parent left at descriptor 3 (SD_LISTEN_FDS_START).
await createMilterServer({ begin: () => undefined }).listen({ fd: 3 });
