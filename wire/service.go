package wire

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/roadstead/roadstead/model"
)

// A Service is one AWS service as seen on the wire: how its requests are recognised and how its answers are dressed.
// The constructors (ECS, ECR, ...) describe the services we know; a struct literal describes any other. It is read-only
// once a Mux was made of it.
type Service struct {
	Name         string // for people: "ecs", in logs and coverage
	SigningName  string // of the credential scope: "ecs", "elasticloadbalancing", "monitoring"
	TargetPrefix string // of X-Amz-Target and of rpc-v2-cbor paths: "AmazonEC2ContainerServiceV20141113"

	JSONVersion  string // "1.1" or "1.0" if the service's own protocol is awsJson, "" if it is a query service
	APIVersion   string // the Version parameter of query requests: "2011-06-15"
	XMLNamespace string // of query answers
	EC2          bool   // the ec2Query dialect: flat lists in requests, <item> in answers, its own error envelope
	// QueryCompatible services moved from query to JSON or CBOR: their errors carry x-amzn-query-error as well.
	QueryCompatible bool

	// Operations is every operation of the service's model: one without a handler is answered
	// UnsupportedFeatureException, any other name UnknownOperationException.
	Operations []string
	// ServerFaults are the exceptions answered with HTTP 500, besides the universal ones (InternalFailure, ...).
	ServerFaults []string
	// FaultCode is the exception that stands for our own failures; "" is InternalFailure.
	FaultCode string
	// QueryErrors maps an exception's name to its code in the query protocol, where they differ.
	QueryErrors map[string]string
	// ErrorStatus overrides the HTTP status of exceptions, e.g. NoSuchEntity 404 in IAM. Others are 400 or 500.
	ErrorStatus map[string]int
	// MissingRequired words the refusal of a request without a required member; nil is the service family's default.
	MissingRequired func(Blank) *model.Error
}

// A Blank is a required member that a request did not carry.
type Blank struct {
	Operation string
	Path      string // wire names from the outermost in: "containerDefinitions[0].name", "serviceName"
	List      bool   // the member is a list
}

func (s *Service) faultCode() string {
	if s.FaultCode != "" {
		return s.FaultCode
	}
	return "InternalFailure"
}

// queryError returns the code of an exception in the query protocol.
func (s *Service) queryError(code string) string {
	if q, ok := s.QueryErrors[code]; ok {
		return q
	}
	return code
}

// knows reports whether the service's model has the operation.
func (s *Service) knows(op string) bool { return slices.Contains(s.Operations, op) }

// Counted is a service of which some operations are served: a Mux, or S3, which has none.
type Counted interface {
	Name() string
	Served() []string
	Missing() []string
}

// WriteCoverage prints how many of each service's operations are served and which are not: the table behind `roadstead coverage`.
func WriteCoverage(w io.Writer, services ...Counted) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "SERVICE\tSERVED\tTOTAL\tMISSING")
	served, total := 0, 0
	for _, s := range services {
		missing, n := s.Missing(), len(s.Served())
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", s.Name(), n, n+len(missing), listing(missing))
		served, total = served+n, total+n+len(missing)
	}
	fmt.Fprintf(t, "total\t%d\t%d\t\n", served, total)
	return t.Flush()
}

// listing shortens a long list of operations to its first few.
func listing(ops []string) string {
	const show = 4
	text := ""
	for i, op := range ops {
		switch {
		case i == show:
			return fmt.Sprintf("%s and %d more", text, len(ops)-show)
		case i > 0:
			text += ", "
		}
		text += op
	}
	return text
}
