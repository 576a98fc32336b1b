// A host for the npm packages scimmy and scimmy-routers, which leave storage to their host: users and groups in a Map,
// unique names (409) and 404, and nothing else, as the packages' documentation shows it. Usage: node server.mjs PORT TOKEN
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const [port, token] = [Number(process.argv[2]), process.argv[3]];

function keep(Resource, unique) {
  const rows = new Map();
  const missing = (id) => new SCIMMY.Types.Error(404, null, `there is no resource ${id}`);
  const folded = (row) => String(row[unique]).toLowerCase();
  SCIMMY.Resources.declare(Resource)
    .ingress(({ id }, data) => {
      const row = JSON.parse(JSON.stringify(data));
      if (id && !rows.has(id)) throw missing(id);
      for (const other of rows.values()) {
        if (other.id !== id && folded(other) === folded(row)) {
          throw new SCIMMY.Types.Error(409, "uniqueness", `${unique} is in use`);
        }
      }
      const now = new Date().toISOString();
      row.id = id ?? randomUUID();
      row.meta = { ...row.meta, created: rows.get(id)?.meta.created ?? now, lastModified: now };
      rows.set(row.id, row);
      return row;
    })
    .egress(({ id, filter }) => {
      if (id) {
        if (!rows.has(id)) throw missing(id);
        return rows.get(id);
      }
      const all = [...rows.values()];
      return filter ? filter.match(all) : all;
    })
    .degress(({ id }) => {
      if (!rows.delete(id)) throw missing(id);
    });
}

keep(SCIMMY.Resources.User, "userName");
keep(SCIMMY.Resources.Group, "displayName");
SCIMMY.Schemas.User.extend(SCIMMY.Schemas.EnterpriseUser);
SCIMMY.Config.set({
  bulk: { supported: true, maxOperations: 1000, maxPayloadSize: 1048576 },
  filter: { supported: true, maxResults: 200 },
  sort: true,
  patch: true,
});

const handler = (request) => {
  if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("the token is wrong or missing");
  return "";
};
const app = express();
app.use("/scim", new SCIMMYRouters({ type: "bearer", docUri: "https://example.com/help", handler }));
app.listen(port, "127.0.0.1");
