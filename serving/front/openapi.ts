import type { ServedDescription, ServeSettings } from '../settings.js';
import { DECODING_FIELDS, type JsonSchema, jsonSchemaOf } from './fields.js';
import { REFUSALS, type RefusalCode } from './refusal.js';
import { ErrorAnswer, ROUTES, type Route } from './routes.js';

const PICTURE = { type: 'string', format: 'binary', description: 'JPEG, PNG, WebP, GIF, AVIF or TIFF' };

/** Refusals that any route may give. */
const OF_ALL: readonly RefusalCode[] = [
  ...(['bad_request', 'unauthorized', 'forbidden', 'request_timeout', 'too_many_requests'] as const),
  ...(['failed', 'shutting_down'] as const),
];

/** The OpenAPI 3.1 description of the service, made of what its requests are checked by. */
export function openApiOf({ version, name }: ServedDescription, { token }: ServeSettings): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const [operationId, route] of Object.entries<Route>(ROUTES)) {
    paths[route.path] = { [route.method.toLowerCase()]: operationOf(operationId, route, token !== undefined) };
  }
  return {
    openapi: '3.1.0',
    info: { title: `tokenfuse serve: ${name}`, version },
    paths,
    components: {
      schemas: { Error: jsonSchemaOf(ErrorAnswer, 'output') },
      ...(token !== undefined && { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } }),
    },
  };
}

function operationOf(operationId: string, route: Route, hasToken: boolean): JsonSchema {
  const { summary, answer, takes, isOpen } = route;
  const content = answer
    ? { 'application/json': { schema: jsonSchemaOf(answer, 'output') } }
    : { 'text/plain': { schema: { type: 'string' } } };
  const refused = new Set(refusalsOf(route).map((code) => REFUSALS[code]));
  const fields = fieldsOf(route);
  return {
    operationId,
    summary,
    ...(hasToken && { security: isOpen ? [] : [{ token: [] }] }),
    // In a form, fields may be parts of it just as well.
    ...(takes !== 'json' && {
      parameters: Object.entries(fields).map(([name, { required, schema }]) => {
        const inForm = takes === 'pictures' || takes === 'picture';
        return { name, in: 'query', required: required && !inForm, schema };
      }),
    }),
    ...(takes !== 'nothing' && { requestBody: { required: true, content: bodyOf(takes, fields) } }),
    responses: {
      200: { description: summary, content },
      ...Object.fromEntries(
        [...refused].sort().map((status) => [
          status,
          {
            description: refusalsOf(route)
              .filter((code) => REFUSALS[code] === status)
              .join(', '),
            content: {
              'application/json': {
                schema:
                  isOpen && status === 503 && answer
                    ? jsonSchemaOf(answer, 'output')
                    : { $ref: '#/components/schemas/Error' },
              },
            },
          },
        ]),
      ),
    },
  };
}

type Fields = Readonly<Record<string, { readonly schema: JsonSchema; readonly required: boolean }>>;

function fieldsOf({ fields, decodes }: Route): Fields {
  const own = Object.entries(fields.shape).map(([name, type]) => [
    name,
    { schema: jsonSchemaOf(type, 'input'), required: !type.safeParse(undefined).success },
  ]);
  const shared = decodes
    ? Object.entries(DECODING_FIELDS).map(([name, schema]) => [name, { schema, required: false }])
    : [];
  return Object.fromEntries([...own, ...shared]);
}

function bodyOf(takes: Exclude<Route['takes'], 'nothing'>, fields: Fields): JsonSchema {
  const properties = Object.fromEntries(Object.entries(fields).map(([name, { schema }]) => [name, schema]));
  const required = Object.keys(fields).filter((name) => fields[name].required);
  const object = (more: JsonSchema, names: readonly string[]): JsonSchema => ({
    schema: {
      type: 'object',
      properties: { ...properties, ...more },
      ...(names.length > 0 && { required: names }),
      additionalProperties: false,
    },
  });
  if (takes === 'json') return { 'application/json': object({}, required) };
  const image = takes === 'picture' ? PICTURE : { type: 'array', items: PICTURE, minItems: 1 };
  // What is required may also be in the query.
  const form = { 'multipart/form-data': object({ image }, ['image']) };
  if (takes === 'pictures') return form;
  return { ...form, 'image/*': { schema: PICTURE }, 'application/octet-stream': { schema: PICTURE } };
}

function refusalsOf({ takes, fields, decodes, work, isOpen }: Route): RefusalCode[] {
  if (isOpen) return ['bad_request', 'forbidden', 'request_timeout', 'failed', 'shutting_down'];
  const hasFields = decodes || Object.keys(fields.shape).length > 0;
  return [
    ...OF_ALL,
    ...(hasFields || takes !== 'nothing' ? (['invalid_field'] as const) : []),
    ...(work ? (['not_supported', 'overloaded', 'timed_out', 'too_large', 'unsupported_media_type'] as const) : []),
    ...(takes === 'picture' ? (['invalid_picture'] as const) : []),
  ];
}
