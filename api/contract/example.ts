/** A value of the shape of a schema, for people to write over: texts say what they are, choices are the first one. */
import { z } from 'zod';

type Shape = {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  properties?: Record<string, Shape>;
  items?: Shape;
  anyOf?: Shape[];
  oneOf?: Shape[];
};

function ofShape(shape: Shape, name: string): unknown {
  if (shape.default !== undefined) return shape.default;
  if (shape.const !== undefined) return shape.const;
  if (shape.enum) return shape.enum[0];
  const [first] = shape.anyOf ?? shape.oneOf ?? [];
  if (first) return ofShape(first, name);
  if (shape.type === 'object')
    return Object.fromEntries(Object.entries(shape.properties ?? {}).map(([key, of]) => [key, ofShape(of, key)]));
  if (shape.type === 'array') return shape.items ? [ofShape(shape.items, name)] : [];
  if (shape.type === 'integer' || shape.type === 'number') return Math.max(0, shape.minimum ?? 0);
  return shape.type === 'boolean' ? false : `<${name}>`;
}

export const exampleOf = (schema: z.ZodType): unknown =>
  ofShape(z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' }) as Shape, 'value');
