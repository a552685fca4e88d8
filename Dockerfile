FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY instrumentation instrumentation
COPY processor processor
COPY backend backend
COPY alerting alerting
COPY docs/examples docs/examples
COPY docs/grafana docs/grafana
RUN python -m venv /opt/monitorx && /opt/monitorx/bin/pip install --no-cache-dir -c constraints.txt '.[all]'

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/monitorx --create-home monitorx
COPY --from=build /opt/monitorx /opt/monitorx
ENV PATH=/opt/monitorx/bin:$PATH \
    MONITORX_DATA_DIR=/var/lib/monitorx \
    MONITORX_OTLP_HTTP=0.0.0.0:4318 \
    MONITORX_OTLP_GRPC=0.0.0.0:4317 \
    MONITORX_API=0.0.0.0:8000
USER monitorx
VOLUME /var/lib/monitorx
EXPOSE 4317 4318 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["monitorx"]
CMD ["serve"]
