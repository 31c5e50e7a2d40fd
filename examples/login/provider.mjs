// An OpenID provider on this machine: node provider.mjs [PORT [URL-OF-THE-SERVER]]
// For trying out only: whoever logs in is who they say, with any password.
import { text } from "node:stream/consumers";

import { Provider } from "oidc-provider";

const [port = "9000", resource = "http://127.0.0.1:8080/mcp"] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  scopes: ["openid", "offline_access", "mcp:use", "mcp:admin"],
  features: {
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, indicator) => ({
        scope: "mcp:use mcp:admin",
        audience: indicator,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
});

// A client registers with the scopes of its first login. It may ask for others later: take them off.
provider.use(async (context, next) => {
  if (context.method === "POST" && context.path === "/reg") {
    const { scope, ...registered } = JSON.parse(await text(context.req));
    context.req.body = registered;
  }
  await next();
});

provider.listen(Number(port), "127.0.0.1");
