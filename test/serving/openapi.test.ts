import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { Decoding } from '#language';
import { formOf } from '../../bench/serving/httpClient.js';
import { DECODING_FIELDS, readDecoding } from '../../serving/front/fields.js';
import { openApiOf } from '../../serving/front/openapi.js';
import { ErrorAnswer, ROUTES, type Route } from '../../serving/front/routes.js';
import { greyPicture, SERVED, serveApp } from '../support/servingApp.js';

interface Operation {
  readonly parameters?: readonly { name: string }[];
  readonly requestBody?: { content: Record<string, { schema: { properties?: Record<string, unknown> } }> };
  readonly responses: Record<string, unknown>;
}
interface Description {
  readonly paths: Record<string, Record<string, Operation>>;
}

async function described() {
  const served = await serveApp();
  const { text } = await served.client.send({ method: 'GET', path: ROUTES.openapi.path });
  return { ...served, description: JSON.parse(text) as Description };
}

describe('the OpenAPI description', () => {
  it('is one, with a token and without', async () => {
    for (const token of [undefined, 'a-token-of-this-test']) {
      const settings = { token } as Parameters<typeof openApiOf>[1];
      const { valid, errors } = await new Validator().validate(structuredClone(openApiOf(SERVED, settings)));
      expect(errors).toBeUndefined();
      expect(valid).toBe(true);
    }
  });

  it('has the routes that are served, and no other', async () => {
    const { app, description } = await described();
    const named = Object.entries(description.paths).flatMap(([url, operations]) =>
      Object.keys(operations).map((method) => ({ method: method.toUpperCase() as 'GET' | 'POST', url })),
    );
    expect(named.filter((route) => !app.server.hasRoute(route))).toEqual([]);
    // A leaf of the tree of paths says its methods in brackets.
    const served = app.server.printRoutes({ commonPrefix: false }).match(/ \([A-Z, ]+\)$/gm);
    expect(served).toHaveLength(named.length);
  });

  it('names the fields that are taken: each of them, and no other', async () => {
    const { description } = await described();
    for (const route of Object.values<Route>(ROUTES)) {
      const { parameters = [], requestBody } = description.paths[route.path][route.method.toLowerCase()];
      const content = requestBody?.content ?? {};
      const known = [...Object.keys(route.fields.shape), ...(route.decodes ? Object.keys(DECODING_FIELDS) : [])].sort();
      if (route.takes !== 'json') expect(parameters.map(({ name }) => name).sort()).toEqual(known);
      for (const { schema } of Object.values(content)) {
        if (schema.properties === undefined) continue;
        expect(
          Object.keys(schema.properties)
            .filter((name) => name !== 'image')
            .sort(),
        ).toEqual(known);
      }
    }
  });

  it('gives the bounds by which requests are checked', () => {
    const bounds = Object.entries(DECODING_FIELDS).filter(([, { maximum }]) => maximum !== undefined);
    expect(bounds.length).toBeGreaterThan(3);
    for (const [name, { maximum }] of bounds) {
      if (name === 'n-best') continue;
      expect(readDecoding(new Map([[name, [String(maximum)]]]))).toBeDefined();
      expect(() => readDecoding(new Map([[name, [String(Number(maximum) + 1)]]]))).toThrow(name);
    }
    for (const [name, { default: standard }] of Object.entries(DECODING_FIELDS)) {
      if (typeof standard !== 'number') continue;
      expect(Object.values(Decoding.parse(readDecoding(new Map([[name, [String(standard)]]]))))).toContain(standard);
    }
  });

  it('describes the answers that are given', async () => {
    const { client, description } = await described();
    const picture = await greyPicture(4);
    const one = formOf([{ name: 'a.png', bytes: picture }]);
    const scored = formOf([{ name: 'a.png', bytes: picture }], { caption: 'a' });
    const two = formOf([
      { name: 'a.png', bytes: picture },
      { name: 'b.png', bytes: Buffer.from('b') },
    ]);
    const json = { headers: { 'content-type': 'application/json' }, body: '{}' };
    const requests = { caption: one, captions: two, score: scored, embed: one, generate: json } as const;
    for (const [name, route] of Object.entries<Route>(ROUTES)) {
      const { status, text } = await client.send({
        ...{ method: route.method, path: route.path },
        ...requests[name as keyof typeof requests],
      });
      expect(status, name).toBe(200);
      if (route.answer) expect(route.answer.safeParse(JSON.parse(text)).error, name).toBeUndefined();
      const operation = description.paths[route.path][route.method.toLowerCase()];
      if (route.takes === 'nothing') continue;
      const refused = await client.send({ method: route.method, path: route.path, body: 'x' });
      expect(Object.keys(operation.responses), name).toContain(String(refused.status));
      expect(ErrorAnswer.safeParse(JSON.parse(refused.text)).error).toBeUndefined();
    }
  });
});
