/** Schemas of the values of metrics in a result, made from the table of metrics. */
import { z } from 'zod';
import type { Field, Protocol } from '../metrics/metric.js';
import {
  fieldsOf,
  metrics,
  type LayerValues,
  type ReferenceValues,
  type StrictValues,
  type Table,
} from '../metrics/table.js';
import { allPeerFields, type PeerValues } from '../metrics/peers/fields.js';
import { peerProtocolNames, type PeerProtocol } from '../metrics/peers/protocols.js';
import type { Shape, ShapeValues } from '../metrics/value.js';

export const estimateSchema = z
  .object({
    mean: z.number(),
    ci95: z
      .tuple([z.number(), z.number()])
      .nullable()
      .optional()
      .describe(
        '95 % percentile bootstrap over sequences (above 200,000 over batches); null with ' +
          'fewer than 20.',
      ),
  })
  .meta({ id: 'Estimate' });

export const densityHistogramSchema = z
  .object({
    log10: z
      .array(z.number())
      .describe('The 41 edges of 40 bins over log10 of the firing rate, −6…0.'),
    count: z
      .array(z.number())
      .describe('Latents per bin; the lowest bin also takes smaller rates.'),
    dead: z.number().describe('Latents that never fired.'),
  })
  .meta({ id: 'DensityHistogram' });

const shapeSchemas: { [S in Shape]: z.ZodType<ShapeValues[S], ShapeValues[S]> } = {
  number: z.number(),
  estimate: estimateSchema,
  list: z.array(z.number()),
  histogram: densityHistogramSchema,
};

/** The schemas of some fields of a table, each with the field's meaning. */
function fieldSchemas(fields: readonly Field[]): Record<string, z.ZodType> {
  return Object.fromEntries(
    fields.map(({ field, shape, meaning, optional }) => {
      const nullable = shapeSchemas[shape].nullable();
      const text = `${meaning.en}.`.replace(/^./, (c) => c.toUpperCase());
      return [field, (optional === true ? nullable.optional() : nullable).describe(text)];
    }),
  );
}

/** The schema of all values under a protocol. */
export function valuesSchema(protocol: Protocol, table: Table = metrics): z.ZodType {
  return z.object(fieldSchemas(fieldsOf(protocol, table)));
}

/** The schema of one layer's values under a protocol. */
function layerValuesSchema<P extends Protocol>(protocol: P): z.ZodType<SplicedLayer<P>> {
  return z.object({
    ...fieldSchemas(fieldsOf(protocol).filter(({ perLayer }) => perLayer === true)),
    splicedAt: z
      .number()
      .int()
      .nullable()
      .describe('Layer whose residual stream the splice replaces; null without a splice.'),
  }) as z.ZodType as z.ZodType<SplicedLayer<P>>;
}

type SplicedLayer<P extends Protocol> = LayerValues<P> & { splicedAt: number | null };

export const referenceValuesSchema = (
  valuesSchema('reference') as z.ZodType<ReferenceValues, ReferenceValues>
).meta({ id: 'ReferenceValues' });

export const strictValuesSchema = (
  valuesSchema('strict') as z.ZodType<StrictValues, StrictValues>
).meta({ id: 'StrictValues' });

/** The values of a protocol of another tool, under the tool's names. */
const peerValuesSchema = (
  z.object(
    Object.fromEntries(
      allPeerFields.map(({ field, meaning, ofWeights }) => {
        const text = `${meaning.en}.`.replace(/^./, (c) => c.toUpperCase());
        const value = z.number().nullable();
        return [field, (ofWeights === true ? value.optional() : value).describe(text)];
      }),
    ),
  ) as z.ZodType as z.ZodType<PeerValues, PeerValues>
).meta({ id: 'ToolValues' });

/** Fields of a result for the protocols of other tools. */
export const peerResultFields = Object.fromEntries(
  peerProtocolNames.map((protocol) => [
    protocol,
    peerValuesSchema
      .nullable()
      .optional()
      .describe(
        `Numbers as ${protocol} defines them; null if it has none for such an SAE, left out if ` +
          'the request does not ask for it.',
      ),
  ]),
) as Record<PeerProtocol, z.ZodOptional<z.ZodNullable<z.ZodType<PeerValues, PeerValues>>>>;

export type ReplacementValues = {
  [F in keyof StrictValues]?: StrictValues[F] | undefined;
};

/** Values of the passes in which all layers of an SAE are replaced together. */
export const replacementSchema = (
  z.object(fieldSchemas(fieldsOf('strict'))).partial() as z.ZodType as z.ZodType<
    ReplacementValues,
    ReplacementValues
  >
).meta({ id: 'ReplacementValues' });

export const perLayerSchema = z
  .object({
    layer: z.number().int(),
    reference: layerValuesSchema('reference').nullable(),
    strict: layerValuesSchema('strict').nullable(),
  })
  .meta({ id: 'PerLayer' });
