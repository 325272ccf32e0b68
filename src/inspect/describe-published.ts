/**
 * A published SAE in words, for an inspection: where it belongs, what makes its input and its
 * latents, what must be given. Native-free.
 */
import type { Normalization, PublishedDescription } from '../sae/formats/recognise.js';
import type { FieldError } from '../errors.js';
import { parseHookName } from '../lm/hook-names.js';
import type { PublishedSae } from '../schema/record.js';

function normalizationText(normalization: Normalization): string {
  switch (normalization.kind) {
    case 'none':
      return 'none (raw activations)';
    case 'layer-norm':
      return `layer-norm: (h − mean) / (std + ${normalization.epsilon})`;
    case 'token-norm':
      return 'token-norm: h · √d / ‖h‖';
    case 'scale':
      return `scale: h · ${Number(normalization.factor.toPrecision(8))}`;
  }
}

function activationText({ activation }: PublishedDescription): string {
  switch (activation.kind) {
    case 'relu':
      return 'relu';
    case 'gated':
      return 'gated';
    case 'topk':
      return `topk, k = ${activation.k}${activation.signed === true ? '' : ', then relu'}`;
    case 'jumprelu':
      return (
        'jumprelu, ' +
        ('value' in activation.threshold
          ? `threshold ${activation.threshold.value}`
          : activation.threshold.log
            ? `threshold exp('${activation.threshold.tensor}')`
            : `threshold '${activation.threshold.tensor}'`)
      );
  }
}

/** Why no request can evaluate it, or null. */
function obstacleOf(
  description: PublishedDescription,
  hookPoints: readonly string[],
): string | null {
  if (description.form === 'crosscoder' && description.hookPoints === null)
    return (
      `a crosscoder between ${description.sites} models, which no single language model can ` +
      'be evaluated with'
    );
  if (description.form === 'crosscoder') {
    const elsewhere = hookPoints.find((name) => parseHookName(name)?.site !== 'resid');
    return elsewhere === undefined
      ? null
      : `its hook point ${elsewhere} is not the residual stream`;
  }
  if (description.obstacle !== undefined) return description.obstacle;
  if (description.hookPointFrom === 'path') return null; // a request may say where
  const unknown = hookPoints.find((name) => parseHookName(name) === null);
  return unknown === undefined ? null : `its hook point ${unknown} is none that is known`;
}

/** `missing`: what describing it asked for. */
export function describePublishedSae(
  description: PublishedDescription,
  missing: readonly FieldError[],
): PublishedSae {
  const { form, source, activation, decoderNorm, notes } = description;
  const hookPoints =
    form === 'crosscoder'
      ? (description.hookPoints ?? [])
      : description.hookPoint === null
        ? []
        : [description.hookPoint];
  const hooks = hookPoints.map(parseHookName);
  const layers = hooks.flatMap((hook) =>
    hook === null || (form === 'crosscoder' && hook.site !== 'resid') ? [] : [hook.layer],
  );
  const asked = missing.some(({ path }) => path === 'scale');
  const normalizations =
    form === 'crosscoder' ? description.normalizations : [description.normalization];
  return {
    format: source,
    hookPoints,
    layers: layers.length > 0 && layers.length === hookPoints.length ? layers : null,
    activation: activationText(description),
    k: activation.kind === 'topk' ? activation.k : null,
    normalization: asked
      ? 'scale: not in the file'
      : `${form === 'sae' && description.centred ? 'mean taken off; ' : ''}${[...new Set(normalizations.map(normalizationText))].join('; ')}`,
    subtractsDecoderBias: form === 'crosscoder' ? null : description.subtractDecoderBias,
    decoderNorm,
    ...(form === 'sae' && description.fromPath !== undefined
      ? { fromPath: description.fromPath }
      : {}),
    obstacle: obstacleOf(description, hookPoints),
    missing: [...missing],
    notes,
  };
}
