/**
 * Adds the clicks to the table of the live view as they come. The server writes the rows, and
 * escapes what is in them.
 */

/**
 * @typedef {{ readonly event_id: string, readonly timestamp: string, readonly is_automatic: boolean,
 *   readonly repeat_count?: number, readonly row: string }} Click
 * @typedef {{ readonly now: number, readonly clicks: readonly Click[],
 *   readonly changed: readonly Click[],
 *   readonly left_out: { readonly people: number, readonly automatic: number } }} Clicks
 * @typedef {{ readonly id?: string, readonly at: number, readonly people: number,
 *   readonly automatic: number }} Seen
 */

/** Rows of the table; and clicks that wait while it is paused. */
const MAX_ROWS = 200;
const MINUTE_MS = 60_000;
/** How often a screen reader announces new clicks, at most. */
const TELL_EVERY_MS = 15_000;
/** When to connect again after the server has refused to: it has too many viewers. */
const REFUSED_MS = 10_000;

const live = document.querySelector('.live');
if (live instanceof HTMLElement) start(live);

/** @param {HTMLElement} live */
function start(live) {
  const rows = part(live, 'tbody');
  const pause = part(live, '.live-pause');
  const status = part(live, '.live-status');
  const rate = part(live, '.live-rate');
  const told = part(live, '.live-told');
  const none = live.querySelector('.live-none');
  /** @type {Click[]} */
  let held = [];
  let isPaused = false;
  /** @type {Seen[]} */
  let seen = [];
  /** The clicks that are not told yet. */
  let untold = { people: 0, automatic: 0 };
  /** @type {EventSource | undefined} */
  let source;

  pause.hidden = false;
  pause.addEventListener('click', () => {
    isPaused = !isPaused;
    if (!isPaused) {
      for (const click of held) show(click);
      held = [];
    }
    label();
  });
  setInterval(tell, TELL_EVERY_MS);
  setInterval(showRate, 1000);
  document.addEventListener('visibilitychange', follow);
  follow();

  /** Connects while the page is seen: all tabs share the six connections of a browser to a host. */
  function follow() {
    if (!document.hidden) {
      source ??= connect();
    } else {
      source?.close();
      source = undefined;
    }
  }

  function connect() {
    const opened = new EventSource(live.dataset['events'] ?? '');
    opened.addEventListener('state', ({ data }) => {
      const { is_away: isAway } = JSON.parse(data);
      say(
        isAway ? 'The store is away: clicks follow when it is back.' : 'Clicks show as they come.',
      );
    });
    opened.addEventListener('clicks', ({ data }) => take(JSON.parse(data)));
    opened.addEventListener('error', () => {
      say('Not connected: trying again.');
      if (opened.readyState === EventSource.CLOSED) setTimeout(() => retry(opened), REFUSED_MS);
    });
    return opened;
  }

  /** @param {EventSource} refused */
  function retry(refused) {
    if (source === refused) source = connect();
  }

  /** @param {Clicks} message */
  function take({ now, clicks, changed, left_out: leftOut }) {
    for (const click of clicks) {
      const isShown = isKnown(click.event_id);
      count(click, (now - Number(click.timestamp)) * 1000, isShown);
      if (isShown) continue;
      if (!isPaused) show(click);
      else held = [...held, click].slice(-MAX_ROWS);
    }
    for (const click of changed) replace(click);
    note({ at: performance.now(), ...leftOut });
    addUntold(leftOut);
    showRate();
    label();
  }

  /** @param {string} id */
  function isKnown(id) {
    return rowOf(id) !== undefined || held.some((click) => click.event_id === id);
  }

  /** @param {string} id */
  function rowOf(id) {
    return [...rows.children].find((row) => row.getAttribute('data-row') === id);
  }

  /** @param {Click} click */
  function show(click) {
    rows.prepend(made(click));
    while (rows.children.length > MAX_ROWS) rows.lastElementChild?.remove();
    none?.remove();
  }

  /** @param {Click} click */
  function replace(click) {
    // Also while it is paused: what is in the table stays where it is.
    rowOf(click.event_id)?.replaceWith(made(click));
    held = held.map((one) => (one.event_id === click.event_id ? click : one));
  }

  /**
   * @param {Click} click
   * @param {number} ageMs
   * @param {boolean} isShown the page came with it, or it is sent again
   */
  function count(
    { event_id: id, is_automatic: isAutomatic, repeat_count: clicks = 1 },
    ageMs,
    isShown,
  ) {
    if (ageMs >= MINUTE_MS || (isShown && seen.some((one) => one.id === id))) return;
    const [people, automatic] = isAutomatic ? [0, clicks] : [clicks, 0];
    note({ id, at: performance.now() - Math.max(0, ageMs), people, automatic });
    if (!isShown) addUntold({ people, automatic });
  }

  /** @param {Seen} one */
  function note(one) {
    if (one.people + one.automatic > 0) seen.push(one);
  }

  /** @param {{ readonly people: number, readonly automatic: number }} clicks */
  function addUntold({ people, automatic }) {
    untold = { people: untold.people + people, automatic: untold.automatic + automatic };
  }

  function showRate() {
    seen = seen.filter(({ at }) => performance.now() - at < MINUTE_MS);
    rate.hidden = false;
    write(rate, `In the last minute: ${described(sumOf(seen))}`);
  }

  function tell() {
    if (isPaused || untold.people + untold.automatic === 0) return;
    told.textContent = `New clicks: ${described(untold)}`;
    untold = { people: 0, automatic: 0 };
  }

  function label() {
    const waiting = held.length > 0 ? ` (${held.length} new)` : '';
    write(pause, isPaused ? `Resume${waiting}` : 'Pause');
  }

  /** @param {string} text */
  function say(text) {
    write(status, text);
  }
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function write(element, text) {
  // A text that is written again is announced again.
  if (element.textContent !== text) element.textContent = text;
}

/** @param {readonly Seen[]} seen */
function sumOf(seen) {
  return seen.reduce(
    (sum, one) => ({
      people: sum.people + one.people,
      automatic: sum.automatic + one.automatic,
    }),
    { people: 0, automatic: 0 },
  );
}

/** @param {{ readonly people: number, readonly automatic: number }} clicks */
function described({ people, automatic }) {
  return `${people} by people, ${automatic} by programs`;
}

/** @param {Click} click */
function made({ row }) {
  const template = document.createElement('template');
  template.innerHTML = row;
  return template.content;
}

/**
 * @param {HTMLElement} live
 * @param {string} selector
 */
function part(live, selector) {
  const found = live.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`live.js: no ${selector}`);
  return found;
}
