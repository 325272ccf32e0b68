/** Numbers, times and names as text in the page's language. */
import { language, words } from './language/words.js';

export function number(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2);
  return Number(value.toPrecision(digits)).toLocaleString('en', { maximumFractionDigits: 6 });
}

export function whole(value) {
  return value === null || value === undefined ? '–' : Math.round(value).toLocaleString('en');
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
  const { hours, minutes, seconds: only } = words().durations;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return only(s);
  if (s < 3600) return minutes(Math.floor(s / 60), s % 60);
  return hours(Math.floor(s / 3600), Math.floor((s % 3600) / 60));
}

export function ago(iso) {
  const seconds = (Date.parse(iso) - Date.now()) / 1000;
  const relative = new Intl.RelativeTimeFormat(language(), { numeric: 'auto' });
  for (const [unit, size] of [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ])
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  return words().justNow;
}

/** A time on the reader's clock. */
export function clock(iso) {
  return new Date(iso).toLocaleString(language() === 'zh' ? 'zh-CN' : undefined);
}

export function bytes(count) {
  if (count === null || count === undefined) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = count;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

export function fileName(path) {
  return path.split('/').filter(Boolean).at(-1) ?? path;
}

/** Title of an evaluation: its name, else its SAEs and its model. */
export function titleOf({ request }) {
  if (request.name) return request.name;
  const labels = request.saes.map(
    (sae) => sae.label ?? sae.kind ?? fileName(sae.checkpoint ?? sae.checkpoints ?? ''),
  );
  return words().titleOf(labels.slice(0, 4), labels.length - 4, fileName(request.model));
}
