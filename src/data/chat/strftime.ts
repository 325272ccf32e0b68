/**
 * Times in the words of C's `strftime`, in English on every machine, as Python's templates expect.
 */

const months =
  'January February March April May June July August September October November December'.split(
    ' ',
  );
const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

const two = (value: number): string => String(value).padStart(2, '0');

/** A time of this machine's zone. Directives that are not known stay as they are. */
export function strftime(time: Date, format: string): string {
  const hours = time.getHours();
  const parts: Record<string, () => string> = {
    Y: () => String(time.getFullYear()),
    y: () => two(time.getFullYear() % 100),
    m: () => two(time.getMonth() + 1),
    B: () => months[time.getMonth()]!,
    b: () => months[time.getMonth()]!.slice(0, 3),
    d: () => two(time.getDate()),
    A: () => days[time.getDay()]!,
    a: () => days[time.getDay()]!.slice(0, 3),
    H: () => two(hours),
    I: () => two(hours % 12 === 0 ? 12 : hours % 12),
    p: () => (hours < 12 ? 'AM' : 'PM'),
    M: () => two(time.getMinutes()),
    S: () => two(time.getSeconds()),
    '%': () => '%',
  };
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, bare: string, letter: string) => {
    const text = parts[letter]?.();
    return text === undefined ? whole : bare === '' ? text : text.replace(/^0(?=.)/, '');
  });
}
