/** Below this, the noise of the clock and of the garbage collector decides. */
const LEAST_MS = 2;

/**
 * How many times more CPU work costs at ten times the size: about 10 if it is linear, about 100 if it is quadratic. A
 * busy machine changes both costs alike.
 */
export function costGrowth(work: (size: number) => void, size: number): number {
  work(size); // compiled by now
  return cost(() => work(10 * size)) / cost(() => work(size));
}

/** The bound between linear and quadratic. */
export const LINEAR = 40;

/** The CPU time of this process, in milliseconds: the least of three attempts. */
function cost(work: () => void): number {
  const attempts = [1, 2, 3].map(() => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.max(LEAST_MS, Math.min(...attempts));
}
