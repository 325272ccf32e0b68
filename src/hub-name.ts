/**
 * Names of what lies on the Hugging Face hub: `org/name`, or `name` alone as for the oldest
 * repositories, with `@revision` (a branch, tag or commit) if that is not `main`, and `:path` of a
 * file or folder in it.
 */

/** The things that a request may name so. */
export type HubThing = 'model' | 'SAE' | 'dataset';

export interface HubName {
  /** `org/name`, or `name`. */
  repository: string;
  revision: string;
  /** Path in the repository; null for all of it. */
  path: string | null;
}

const pattern = /^((?:[\w-][\w.-]*\/)?[\w-][\w.-]*)(?:@([\w-][\w./-]*))?(?::([^:\0]+))?$/;

/** The parts of a name; null for what cannot be one. */
export function parseHubName(name: string): HubName | null {
  const [, repository, revision = 'main', path = null] = pattern.exec(name) ?? [];
  const leaves = [revision, ...(path ?? '').split('/')].some((part) => part.includes('..'));
  const isAddress = path?.startsWith('//') === true; // https://…
  if (repository === undefined || repository.includes('..') || leaves || isAddress) return null;
  return { repository, revision, path };
}

/** An argument as a shell takes it. */
const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** The command that puts what a name stands for into the local cache. */
export function fetchCommand({ repository, revision, path }: HubName, thing: HubThing): string {
  // A path without an ending is a folder, whose files a pattern names.
  const isFile = path !== null && /\.\w+$/.test(path) && !/[*?[{]/.test(path);
  const folder = path === null || /[*?[{]/.test(path) ? path : `${path.replace(/\/$/, '')}/*`;
  return [
    `hf download ${repository}`,
    ...(thing === 'dataset' ? ['--repo-type dataset'] : []),
    ...(revision === 'main' ? [] : [`--revision ${revision}`]),
    ...(path === null ? [] : isFile ? [quoted(path)] : [`--include ${quoted(folder!)}`]),
  ].join(' ');
}
