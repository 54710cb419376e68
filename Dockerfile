# One image for every service; compose.yml names the command (node api/main.ts, node sql/main.ts migrate, …).
# Plain Dockerfile syntax: it builds with the classic builder as well as with BuildKit.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY job-image/package.json job-image/
# No install scripts: nothing here needs one. No optional packages: they are the Node of a checkout, which the base has.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --engine-strict=false && npm cache clean --force

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="Lading services" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app ./
COPY config config
COPY keys keys
COPY net net
COPY sql sql
COPY api api
COPY egress egress
COPY guard guard
COPY orchestrator orchestrator
COPY cli cli
COPY job-image/contract job-image/contract
# Owned by root: a service cannot change its own code.
USER node
CMD ["node", "--version"]
