/**
 * What each kind's state dict holds and which options it takes: enough to check a checkpoint by the
 * names and shapes of its tensors, before anything is loaded. Native-free. Formulas:
 * docs/reference/protocols.md.
 */
import { SaeEvalError } from '../errors.js';
import { saeKinds, type SaeKind } from '../schema/request.js';

export type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * Sizes of an SAE: `d` residual stream width, `m` latents, `R` routed layers (null for kinds on one
 * layer at a time).
 */
export interface SaeSizes {
  d: number;
  m: number;
  R: number | null;
}

export interface KindLayout {
  kind: SaeKind;
  /** One line for `/kinds` and reports. */
  summary: { en: string; zh: string };
  /**
   * `required`: 1…L must be given; `drawn`: by the seed unless given; `routed`: the layers S…E of
   * the protocol.
   */
  layer: 'required' | 'drawn' | 'routed';
  hasK: boolean;
  hasRouting: boolean;
  /** The tensor whose shape [m, d] gives the sizes. */
  sizesFrom: string;
  /** Names and shapes of all tensors. */
  tensors(sizes: SaeSizes): Record<string, readonly number[]>;
}

const single = ({ d, m }: SaeSizes): Record<string, readonly number[]> => ({
  pre_bias: [d],
  latent_bias: [m],
  'encoder.weight': [m, d],
  'decoder.weight': [d, m],
});

const layouts: Record<SaeKind, KindLayout> = {
  TopK: {
    kind: 'TopK',
    layer: 'required',
    hasK: true,
    hasRouting: false,
    sizesFrom: 'encoder.weight',
    tensors: single,
    summary: {
      en: 'keeps the k largest pre-activations of one layer',
      zh: '在单层上保留 k 个最大的预激活',
    },
  },
  RouteSAE: {
    kind: 'RouteSAE',
    layer: 'routed',
    hasK: true,
    hasRouting: true,
    sizesFrom: 'sae.encoder.weight',
    tensors: (sizes) => ({
      'router.weight': [sizes.R ?? 1, sizes.d],
      ...Object.fromEntries(
        Object.entries(single(sizes)).map(([name, shape]) => [`sae.${name}`, shape]),
      ),
    }),
    summary: {
      en: 'a router picks, for each token, the layer that one shared TopK encodes',
      zh: '路由器为每个词元选择一层，由共享的 TopK 编码',
    },
  },
  MLSAE: {
    kind: 'MLSAE',
    layer: 'routed',
    hasK: true,
    hasRouting: false,
    sizesFrom: 'encoder.weight',
    tensors: single,
    summary: {
      en: 'one TopK applied to each of several layers by itself',
      zh: '同一个 TopK 分别用于多个层',
    },
  },
  Vanilla: {
    kind: 'Vanilla',
    layer: 'required',
    hasK: false,
    hasRouting: false,
    sizesFrom: 'encoder.weight',
    tensors: single,
    summary: {
      en: 'ReLU latents under an L1 penalty, one layer',
      zh: '单层，带 L1 惩罚的 ReLU 潜变量',
    },
  },
  Gated: {
    kind: 'Gated',
    layer: 'required',
    hasK: false,
    hasRouting: false,
    sizesFrom: 'encoder.weight',
    tensors: ({ d, m }) => ({
      pre_bias: [d],
      gate_bias: [m],
      mag_bias: [m],
      r_mag: [m],
      'encoder.weight': [m, d],
      'decoder.weight': [d, m],
    }),
    summary: {
      en: 'one path decides which latents fire, another how strongly',
      zh: '一条通路决定哪些潜变量激活，另一条决定强度',
    },
  },
  JumpReLU: {
    kind: 'JumpReLU',
    layer: 'required',
    hasK: false,
    hasRouting: false,
    sizesFrom: 'encoder.weight',
    tensors: ({ d, m }) => ({
      pre_bias: [d],
      latent_bias: [m],
      threshold: [m],
      'encoder.weight': [m, d],
      'decoder.weight': [d, m],
    }),
    summary: {
      en: 'a learned threshold for each latent, one layer',
      zh: '单层，每个潜变量有学习到的阈值',
    },
  },
  Crosscoder: {
    kind: 'Crosscoder',
    layer: 'routed',
    hasK: false,
    hasRouting: false,
    sizesFrom: 'encoder.0.weight',
    tensors: ({ d, m, R }) => {
      const layers = Array.from({ length: R ?? 1 }, (_, j) => j);
      return {
        latent_bias: [m],
        ...Object.fromEntries(layers.map((j) => [`encoder.${j}.weight`, [m, d]])),
        ...Object.fromEntries(layers.map((j) => [`decoder.${j}.weight`, [d, m]])),
      };
    },
    summary: {
      en: 'one set of latents reads and writes several layers',
      zh: '一组潜变量同时读写多个层',
    },
  },
  RandomK: {
    kind: 'RandomK',
    layer: 'drawn',
    hasK: true,
    hasRouting: false,
    sizesFrom: 'encoder.weight',
    tensors: single,
    summary: {
      en: "a TopK's file on another layer, drawn by the seed: what a mismatched layer costs",
      zh: '把 TopK 的文件用在由种子抽取的另一层：显示层不匹配的代价',
    },
  },
};

export function kindLayout(kind: SaeKind): KindLayout {
  return layouts[kind];
}

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

function sizesFor(layout: KindLayout, shapes: Shapes): SaeSizes | null {
  const shape = shapes.get(layout.sizesFrom);
  if (shape?.length !== 2) return null;
  const [m, d] = shape as [number, number];
  if (layout.kind === 'RouteSAE') return { d, m, R: shapes.get('router.weight')?.[0] ?? null };
  if (layout.kind === 'Crosscoder') {
    let R = 0;
    while (shapes.has(`encoder.${R}.weight`)) R += 1;
    return { d, m, R };
  }
  return { d, m, R: null };
}

/** The first thing that keeps a file from being of this kind, or null. */
function mismatch(
  layout: KindLayout,
  shapes: Shapes,
): { code: 'checkpoint-keys' | 'checkpoint-shape'; message: string } | null {
  const found =
    [...shapes.keys()]
      .slice(0, 12)
      .map((name) => `'${name}'`)
      .join(', ') + (shapes.size > 12 ? ', …' : '');
  const sizes = sizesFor(layout, shapes);
  if (sizes === null) {
    const shape = shapes.get(layout.sizesFrom);
    return shape === undefined
      ? {
          code: 'checkpoint-keys',
          message:
            `expected a tensor '${layout.sizesFrom}' [m, d] for kind ${layout.kind}, found ` +
            `${found || 'no tensors'}`,
        }
      : {
          code: 'checkpoint-shape',
          message: `expected '${layout.sizesFrom}' of shape [m, d], found ${shapeText(shape)}`,
        };
  }
  const expected = layout.tensors(sizes);
  for (const [name, shape] of Object.entries(expected)) {
    const actual = shapes.get(name);
    if (actual === undefined)
      return {
        code: 'checkpoint-keys',
        message:
          `expected a tensor '${name}' ${shapeText(shape)} for kind ${layout.kind}, found ` +
          `${found}`,
      };
    if (actual.length !== shape.length || actual.some((size, i) => size !== shape[i])) {
      return {
        code: 'checkpoint-shape',
        message:
          `expected '${name}' of shape ${shapeText(shape)} (by '${layout.sizesFrom}' [m, d] ` +
          `= ${shapeText([sizes.m, sizes.d])}), found ${shapeText(actual)}`,
      };
    }
  }
  const extra = [...shapes.keys()].find((name) => !(name in expected));
  if (extra !== undefined)
    return {
      code: 'checkpoint-keys',
      message: `tensor '${extra}' does not belong to kind ${layout.kind}, which has ${Object.keys(
        expected,
      )
        .slice(0, 8)
        .map((name) => `'${name}'`)
        .join(', ')}`,
    };
  return null;
}

/** The kinds that a file with these tensors can be, with its sizes (zeros where no kind fits). */
export function inferKinds(shapes: Shapes): {
  candidates: SaeKind[];
  d: number;
  m: number;
  routedLayers: number | null;
} {
  const candidates = saeKinds.filter((kind) => mismatch(layouts[kind], shapes) === null);
  const sizes = candidates[0] === undefined ? null : sizesFor(layouts[candidates[0]], shapes);
  return { candidates, d: sizes?.d ?? 0, m: sizes?.m ?? 0, routedLayers: sizes?.R ?? null };
}

/**
 * The kind of a file and its sizes.
 * @throws SaeEvalError `sae-kind` where the kind is needed and not given, or is not what the file
 *   holds;
 *   `checkpoint-keys`, `checkpoint-shape` naming the tensor, the expected and the found shape.
 */
export function resolveKind(
  file: string,
  shapes: Shapes,
  kind?: SaeKind,
): { kind: SaeKind; sizes: SaeSizes } {
  if (kind !== undefined) {
    const wrong = mismatch(layouts[kind], shapes);
    if (wrong !== null) {
      const { candidates } = inferKinds(shapes);
      const hint = candidates.length > 0 ? ` The file can be: ${candidates.join(', ')}.` : '';
      throw new SaeEvalError(wrong.code, `${file}: ${wrong.message}.${hint}`);
    }
    return { kind, sizes: sizesFor(layouts[kind], shapes)! };
  }
  const { candidates } = inferKinds(shapes);
  const only = candidates[0];
  if (only === undefined) {
    const nearest = shapes.has('router.weight')
      ? 'RouteSAE'
      : shapes.has('encoder.0.weight')
        ? 'Crosscoder'
        : shapes.has('threshold')
          ? 'JumpReLU'
          : shapes.has('gate_bias')
            ? 'Gated'
            : 'TopK';
    throw new SaeEvalError(
      mismatch(layouts[nearest], shapes)!.code,
      `${file}: its tensors fit none of the kinds ${saeKinds.join(', ')}; nearest is ` +
        `${nearest}: ${mismatch(layouts[nearest], shapes)!.message}.`,
    );
  }
  if (candidates.length > 1) {
    throw new SaeEvalError(
      'sae-kind',
      `${file}: files of ${candidates.join(', ')} look alike: give \`kind\`.`,
    );
  }
  return { kind: only, sizes: sizesFor(layouts[only], shapes)! };
}
