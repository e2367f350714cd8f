/** A sign, as documentation and configuration know it. */
interface Sign {
  /** What the click does or is, to follow "the click". */
  readonly click: string;
  /** Whether it alone makes a click automatic, unless `automatic_when` says otherwise. */
  readonly decides: boolean;
  /** Why it does, or does not. */
  readonly because: string;
}

/** Why a click looks as if no person had made it: the signs of automation that events report. */
export const AUTOMATION_REASONS = {
  user_agent: {
    click: 'names a known scanner, preview or library, or nothing at all',
    decides: true,
    because: 'the program says so itself, or hides; browsers name themselves',
  },
  prefetch: {
    click:
      'was made by a browser that loads pages ahead (`Sec-Purpose`, `Purpose`, `X-Purpose`, `X-Moz`)',
    decides: true,
    because: 'the browser says that it was not a click',
  },
  network: {
    click: 'came from one of `automatic_networks`',
    decides: true,
    because: 'the operator knows who is there',
  },
  soon_after_injection: {
    click: 'came within `automatic_within` (10 s) of the injection',
    decides: false,
    because: 'people who wait for a mail to sign in are as fast',
  },
  every_link: {
    click:
      'completed the set: the same client followed every link of the message within that time; ' +
      'stored links only, a sealed one does not know how many there are',
    decides: true,
    because: 'a reader follows the link of interest, a scanner all of them',
  },
  many_links: {
    click:
      'was at least the fifth link of the message that the same client followed within that time',
    decides: true,
    because: 'people do not read five pages in that time',
  },
  head_request: {
    click: 'came after a HEAD for the same link',
    decides: false,
    because: 'a messenger that shows a preview asks first, and then a person clicks',
  },
} as const satisfies Readonly<Record<string, Sign>>;

export type AutomationReason = keyof typeof AUTOMATION_REASONS;

export const automationReasons = Object.keys(AUTOMATION_REASONS) as readonly AutomationReason[];
