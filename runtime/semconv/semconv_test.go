package semconv_test

import (
	"strings"
	"testing"

	otel "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// prometheus returns the Prometheus form of a name of the conventions: dots become underscores,
// and the unit is a suffix.
func prometheus(name, unit string) string {
	name = strings.ReplaceAll(name, ".", "_")
	if unit == "s" {
		return name + "_seconds"
	}
	return name
}

func TestMetricNamesAreTheConventions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ got, name, unit string }{
		{semconv.HTTPServerRequestDuration, httpconv.ServerRequestDuration{}.Name(), httpconv.ServerRequestDuration{}.Unit()},
		{semconv.HTTPServerActiveRequests, httpconv.ServerActiveRequests{}.Name(), httpconv.ServerActiveRequests{}.Unit()},
		{semconv.HTTPClientRequestDuration, httpconv.ClientRequestDuration{}.Name(), httpconv.ClientRequestDuration{}.Unit()},
		{semconv.DBClientOperationDuration, dbconv.ClientOperationDuration{}.Name(), dbconv.ClientOperationDuration{}.Unit()},
		{semconv.DBClientConnectionCount, dbconv.ClientConnectionCount{}.Name(), dbconv.ClientConnectionCount{}.Unit()},
		{semconv.DBClientConnectionMax, dbconv.ClientConnectionMax{}.Name(), dbconv.ClientConnectionMax{}.Unit()},
		{semconv.DBClientConnectionPendingRequests, dbconv.ClientConnectionPendingRequests{}.Name(), dbconv.ClientConnectionPendingRequests{}.Unit()},
		{semconv.DBClientConnectionTimeouts, dbconv.ClientConnectionTimeouts{}.Name() + "_total", dbconv.ClientConnectionTimeouts{}.Unit()},
	} {
		if want := prometheus(tc.name, tc.unit); tc.got != want {
			t.Errorf("%s: the conventions define %s", tc.got, want)
		}
	}
}

func TestLabelsAreTheConventionsAttributes(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		semconv.LabelMethod:        string(otel.HTTPRequestMethodKey),
		semconv.LabelRoute:         string(otel.HTTPRouteKey),
		semconv.LabelStatus:        string(otel.HTTPResponseStatusCodeKey),
		semconv.LabelErrorType:     string(otel.ErrorTypeKey),
		semconv.LabelServerAddress: string(otel.ServerAddressKey),
		semconv.LabelServerPort:    string(otel.ServerPortKey),
		semconv.LabelDBSystem:      string(otel.DBSystemNameKey),
		semconv.LabelDBOperation:   string(otel.DBOperationNameKey),
		semconv.LabelDBCollection:  string(otel.DBCollectionNameKey),
		semconv.LabelPoolName:      string(otel.DBClientConnectionPoolNameKey),
		semconv.LabelPoolState:     string(otel.DBClientConnectionStateKey),
		semconv.LabelEnvironment:   string(otel.DeploymentEnvironmentNameKey),
		semconv.LabelServiceName:   string(otel.ServiceNameKey),
	} {
		if want := strings.ReplaceAll(want, ".", "_"); got != want {
			t.Errorf("%s: the conventions define %s", got, want)
		}
	}
	if !strings.HasSuffix(otel.SchemaURL, semconv.Version) {
		t.Errorf("the names follow %s, the test compares with %s", semconv.Version, otel.SchemaURL)
	}
}

// The bounds are those of the conventions, sorted and in seconds.
func TestBucketsRise(t *testing.T) {
	t.Parallel()
	for name, bounds := range map[string][]float64{"http": semconv.DurationBuckets(), "db": semconv.DatabaseBuckets()} {
		for i := 1; i < len(bounds); i++ {
			if bounds[i] <= bounds[i-1] {
				t.Errorf("%s: %v does not rise at %d", name, bounds, i)
			}
		}
	}
}
