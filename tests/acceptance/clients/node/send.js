// Sends one inference span, one gauge and one histogram with the OpenTelemetry SDK for Node: the protocol is the first
// argument (http/protobuf, http/json or grpc), the endpoint (a URL) the second.
"use strict";
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");
const { MeterProvider, PeriodicExportingMetricReader } = require("@opentelemetry/sdk-metrics");

const [protocol, endpoint] = process.argv.slice(2);
const suffix = { "http/protobuf": "proto", "http/json": "http", grpc: "grpc" }[protocol];
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${suffix}`);
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${suffix}`);
const url = (signal) => (protocol === "grpc" ? endpoint : `${endpoint}/v1/${signal}`);

async function main() {
  const name = `node-${suffix}`;
  const resource = resourceFromAttributes({ "service.name": name, "service.instance.id": name });
  const tracers = new NodeTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: url("traces") }))],
  });
  const meters = new MeterProvider({
    resource,
    readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter({ url: url("metrics") }) })],
  });

  const model = { "ml.model.name": name, "ml.operation.name": "predict" };
  const span = tracers.getTracer("check").startSpan(`predict ${name}`);
  span.setAttributes({ ...model, "ml.model.kind": "tabular" });
  await new Promise((done) => setTimeout(done, 5));
  span.end();

  const meter = meters.getMeter("check");
  meter.createGauge("check.temperature", { unit: "Cel" }).record(36.6, { room: "a" });
  meter.createHistogram("ml.inference.duration", { unit: "s" }).record(0.25, model);

  await tracers.shutdown();
  await meters.shutdown();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
