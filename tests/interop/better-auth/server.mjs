// A host for @better-auth/scim: accounts are kept in better-auth's own store in memory, and all of SCIM is the plugin's.
// Usage: node server.mjs PORT TOKEN
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { scim } from "@better-auth/scim";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { getAuthTables } from "better-auth/db";
import { toNodeHandler } from "better-auth/node";

const [port, token] = [Number(process.argv[2]), process.argv[3]];

const options = {
  baseURL: `http://127.0.0.1:${port}`,
  secret: randomBytes(32).toString("base64"),
  logger: { level: "error" },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [scim({ connections: [{ id: "interop", credentials: [{ type: "bearer", id: "token", token }] }] })],
};
const tables = Object.values(getAuthTables(options)).map(({ modelName }) => [modelName, []]);
const auth = betterAuth({ ...options, database: memoryAdapter(Object.fromEntries(tables)) });
createServer(toNodeHandler(auth)).listen(port, "127.0.0.1");
