/** `sae-eval convert`: writes an SAE in another format. */
import { SaeEvalError } from '../../errors.js';
import { settingsInName } from '../../sae/formats/file-name.js';
import { saeKinds, type SaeKind } from '../../schema/index.js';
import { hookNameOf, parseHookName } from '../../lm/hook-names.js';
import { convertCheckpoint, type ConversionTarget } from '../../sae/convert/convert.js';
import { say } from '../say.js';
import { shown } from '../../shown-text.js';

export interface ConvertFlags {
  to: ConversionTarget;
  kind?: string;
  layer?: string;
  k?: string;
  scale?: string;
  theta?: string;
  centered?: boolean;
}

function numberOf(
  flag: string,
  text: string | undefined,
  { whole }: { whole: boolean },
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (
    text.trim() !== '' &&
    Number.isFinite(value) &&
    (!whole || (Number.isInteger(value) && value >= 0))
  )
    return value;
  throw new SaeEvalError(
    'request-invalid',
    `--${flag}: expected a ${whole ? 'whole ' : ''}number, found '${text}'`,
  );
}

/**
 * Name of the hook point in TransformerLens, which SAELens uses. `layer` is the residual stream
 * after a block, for files that do not say; it cannot move an SAE off a site inside a block.
 */
function transformerLensName(named: string | null, layer: number | undefined): string | null {
  const hook = named === null ? null : parseHookName(named);
  if (hook !== null && hook.site !== 'resid' && layer !== undefined && layer !== hook.layer)
    throw new SaeEvalError(
      'sae-option',
      `--layer: the file names ${named}, which is not on the residual stream; leave --layer out`,
    );
  const given = layer === undefined || (hook !== null && hook.site !== 'resid') ? hook : null;
  if (given !== null) return /^blocks\.|^hook_/.test(named!) ? named : hookNameOf(given);
  return layer === undefined ? named : hookNameOf({ site: 'resid', layer });
}

function kindOf(name: string | undefined): SaeKind | undefined {
  const found = saeKinds.find((kind) => kind === name);
  if (name === undefined || found !== undefined) return found;
  throw new SaeEvalError(
    'request-invalid',
    `--kind: expected one of ${saeKinds.join(', ')}, found '${name}'`,
  );
}

export async function convert(
  path: string,
  out: string,
  { to, centered, ...flags }: ConvertFlags,
): Promise<void> {
  const kind = kindOf(flags.kind);
  const named = settingsInName(path);
  const layer = numberOf('layer', flags.layer, { whole: true });
  const k = numberOf('k', flags.k, { whole: true }) ?? named.k;
  const scale = numberOf('scale', flags.scale, { whole: false });
  const theta = numberOf('theta', flags.theta, { whole: false });
  const { paths, notes } = await convertCheckpoint(path, out, {
    to,
    ...(centered === undefined ? {} : { centred: centered }),
    ...(kind === undefined ? {} : { kind }),
    ...(k === undefined ? {} : { k }),
    ...(scale === undefined ? {} : { scale }),
    ...(theta === undefined ? {} : { theta }),
    hookName: (hookPoint) =>
      transformerLensName(hookPoint, layer ?? (hookPoint === null ? named.layer : undefined)),
  });
  for (const note of notes) say(`sae-eval: ${note}`);
  for (const written of paths) process.stdout.write(shown(`wrote ${written}\n`));
}
