// Sends one inference span, one gauge and one histogram with the OpenTelemetry SDK for Go: the protocol is the first
// argument (http or grpc), the endpoint HOST:PORT the second.
package main

import (
	"context"
	"log"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func exporters(ctx context.Context, protocol, endpoint string) (sdktrace.SpanExporter, sdkmetric.Exporter) {
	if protocol == "grpc" {
		spans, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(endpoint), otlptracegrpc.WithInsecure())
		must(err)
		metrics, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(endpoint), otlpmetricgrpc.WithInsecure())
		must(err)
		return spans, metrics
	}
	spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(endpoint), otlptracehttp.WithInsecure())
	must(err)
	metrics, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpoint(endpoint), otlpmetrichttp.WithInsecure())
	must(err)
	return spans, metrics
}

func main() {
	ctx := context.Background()
	protocol, endpoint := os.Args[1], os.Args[2]
	spanExporter, metricExporter := exporters(ctx, protocol, endpoint)
	from := resource.NewSchemaless(
		attribute.String("service.name", "go-"+protocol), attribute.String("service.instance.id", "go-"+protocol))
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spanExporter), sdktrace.WithResource(from))
	meters := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metricExporter)), sdkmetric.WithResource(from))

	model := attribute.String("ml.model.name", "go-"+protocol)
	operation := attribute.String("ml.operation.name", "predict")
	_, span := tracers.Tracer("check").Start(ctx, "predict go-"+protocol)
	span.SetAttributes(model, operation, attribute.String("ml.model.kind", "tabular"))
	time.Sleep(5 * time.Millisecond)
	span.End()

	meter := meters.Meter("check")
	gauge, err := meter.Float64Gauge("check.temperature", metric.WithUnit("Cel"))
	must(err)
	gauge.Record(ctx, 36.6, metric.WithAttributes(attribute.String("room", "a")))
	duration, err := meter.Float64Histogram("ml.inference.duration", metric.WithUnit("s"))
	must(err)
	duration.Record(ctx, 0.25, metric.WithAttributes(model, operation))

	must(tracers.Shutdown(ctx))
	must(meters.Shutdown(ctx))
}
