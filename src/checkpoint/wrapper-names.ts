/**
 * Parts of names that come from wrappers around a module and say nothing about it: DataParallel and
 * AveragedModel (`module.`), torch.compile (`_orig_mod.`), FSDP (`_fsdp_wrapped_module.`,
 * `_fpw_module.`), activation checkpointing (`_checkpoint_wrapped_module.`), Lightning Fabric
 * (`_forward_module.`), Opacus (`_module.`).
 */
const wrappers: ReadonlySet<string> = new Set([
  'module',
  '_orig_mod',
  '_fsdp_wrapped_module',
  '_fpw_module',
  '_checkpoint_wrapped_module',
  '_forward_module',
  '_module',
]);

/** Wrappers that may begin every name of a state dict. */
const leading = [...wrappers].map((name) => `${name}.`);

/** A name without its wrappers, wherever they stand; the last part always stays. */
export function unwrapped(name: string): string {
  const parts = name.split('.');
  return parts.filter((part, i) => i === parts.length - 1 || !wrappers.has(part)).join('.');
}

/** Beginning of a name that is left out if `count` characters of the unwrapped name are. */
export function wrappedPrefix(name: string, count: number): string {
  const parts = name.split('.');
  let at = 0;
  let left = count;
  while (at < parts.length - 1 && (left > 0 || wrappers.has(parts[at]!))) {
    if (!wrappers.has(parts[at]!)) left -= parts[at]!.length + 1;
    at += 1;
  }
  return parts
    .slice(0, at)
    .map((part) => `${part}.`)
    .join('');
}

/** Tensors without the wrappers that all names begin with, the removed `prefix`. */
export function withoutWrappers<T>(named: ReadonlyMap<string, T>): {
  tensors: Map<string, T>;
  prefix: string;
} {
  let tensors = new Map(named);
  let prefix = '';
  for (;;) {
    const shared = leading.find(
      (wrapper) =>
        tensors.size > 0 &&
        [...tensors.keys()].every(
          (name) => name.length > wrapper.length && name.startsWith(wrapper),
        ),
    );
    if (shared === undefined || prefix.length > 256) return { tensors, prefix };
    tensors = new Map([...tensors].map(([name, tensor]) => [name.slice(shared.length), tensor]));
    prefix += shared;
  }
}
