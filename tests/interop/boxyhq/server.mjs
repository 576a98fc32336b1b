// A host for the directory sync of @boxyhq/saml-jackson, which brings no route of its own: this takes a request apart, hands
// it over and sends back what comes, as the route of its own application does. Usage: node server.mjs PORT TOKEN
import { createServer } from "node:http";
import jackson from "@boxyhq/saml-jackson";

const [port, token] = [Number(process.argv[2]), process.argv[3]];
const base = "/scim/v2/";
const silent = () => {};

const { directorySyncController: sync } = await jackson.default({
  externalUrl: `http://127.0.0.1:${port}`,
  samlAudience: "https://example.com",
  samlPath: "/saml",
  scimPath: base,
  clientSecretVerifier: "unused",
  boxyhqLicenseKey: "unused",
  db: { engine: "mem", ttl: 300, cleanupLimit: 1000 },
  dsync: { webhookBatchSize: 0 },
  logger: { info: silent, warn: silent, error: silent },
  noAnalytics: true,
});
const { data: directory, error } = await sync.directories.create({
  tenant: "interop",
  product: "interop",
  name: "interop",
  type: "generic-scim-v2",
});
if (error) throw new Error(error.message);

const number = (text) => (text === null ? undefined : Number.parseInt(text, 10));

async function answer(request, text) {
  const { pathname, searchParams } = new URL(request.url, `http://127.0.0.1:${port}`);
  if (!pathname.startsWith(base)) return { status: 404 };
  let body;
  try {
    body = text ? JSON.parse(text) : undefined;
  } catch {
    return { status: 400 };
  }
  const [resourceType, resourceId] = pathname.slice(base.length).split("/").map(decodeURIComponent);
  const [, given] = (request.headers.authorization ?? "").split(" ");
  return sync.requests.handle(
    {
      method: request.method,
      body,
      directoryId: directory.id,
      resourceType,
      resourceId,
      // The directory makes a secret of its own up: whoever knows the token of the test knows it.
      apiSecret: given === token ? directory.scim.secret : (given ?? ""),
      query: {
        count: number(searchParams.get("count")),
        startIndex: number(searchParams.get("startIndex")),
        filter: searchParams.get("filter") ?? undefined,
      },
    },
    async () => {},
  );
}

createServer(async (request, response) => {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  try {
    const { status, data } = await answer(request, text);
    response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
    response.end(status === 204 || data === undefined ? "" : JSON.stringify(data));
  } catch {
    response.writeHead(500).end();
  }
}).listen(port, "127.0.0.1");
