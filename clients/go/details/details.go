// Package details reads what an error of sunmi-trade says, typed. docs/errors.md tells of each.
package details

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/sunmi-trade/sunmi-trade/clients/go/sunmi/trade/v1"
)

// Details is what the error of a call says. What it does not say is nil.
type Details struct {
	Code    codes.Code
	Message string
	// Nil where the error is not the server's own: the connection broke, a deadline passed here,
	// something on the way answered. Of a Refund that says nothing: the money may have moved.
	Trade     *pb.TradeError
	Info      *errdetails.ErrorInfo
	Request   *errdetails.RequestInfo
	Retry     *errdetails.RetryInfo
	Invalid   *errdetails.BadRequest
	Quota     *errdetails.QuotaFailure
	Localized *errdetails.LocalizedMessage
}

// Of reads an error that a call returned. Details that cannot be read are as if they were absent.
func Of(err error) Details {
	s := status.Convert(err)
	d := Details{Code: s.Code(), Message: s.Message()}
	for _, detail := range s.Details() {
		switch detail := detail.(type) {
		case *pb.TradeError:
			d.Trade = detail
		case *errdetails.ErrorInfo:
			d.Info = detail
		case *errdetails.RequestInfo:
			d.Request = detail
		case *errdetails.RetryInfo:
			d.Retry = detail
		case *errdetails.BadRequest:
			d.Invalid = detail
		case *errdetails.QuotaFailure:
			d.Quota = detail
		case *errdetails.LocalizedMessage:
			d.Localized = detail
		}
	}
	return d
}

// Wait is how long the server asks to wait; zero where it does not say.
func (d Details) Wait() time.Duration {
	return max(0, d.Retry.GetRetryDelay().AsDuration())
}

// OpenOrderID is the number of another refund of the payment that is in this one's way.
func (d Details) OpenOrderID() string {
	return d.Info.GetMetadata()["openOrderId"]
}

// String is all of it in one line, for a log.
func (d Details) String() string {
	said := []string{Code(d.Code)}
	if d.Trade == nil {
		said = append(said, "no TradeError")
	} else {
		said = append(said, Name(d.Trade.Reason), Name(d.Trade.RefundOutcome), Name(d.Trade.NextStep))
	}
	if d.Wait() > 0 {
		said = append(said, fmt.Sprintf("retry after %s", d.Wait()))
	}
	if d.Trade.GetSunmiCode() != "" {
		said = append(said, fmt.Sprintf("Sunmi's %s %q", d.Trade.GetSunmiCode(), d.Localized.GetMessage()))
	}
	for _, v := range d.Invalid.GetFieldViolations() {
		said = append(said, fmt.Sprintf("%s: %s", v.Field, v.Description))
	}
	for _, v := range d.Quota.GetViolations() {
		said = append(said, fmt.Sprintf("%s: %s", v.Subject, v.Description))
	}
	if d.Request != nil {
		said = append(said, "request "+d.Request.RequestId)
	}
	return strings.Join(said, ", ") + ": " + d.Message
}

// Code is a status code by the name that gRPC's documents and the other languages use.
func Code(c codes.Code) string {
	return code.Code(c).String()
}

// Name is the name of an enum's value. The generated String gives a bare "99" for a number of a
// newer server; this gives ERROR_REASON_99.
func Name(e protoreflect.Enum) string {
	values := e.Descriptor().Values()
	if value := values.ByNumber(e.Number()); value != nil {
		return string(value.Name())
	}
	prefix := strings.TrimSuffix(string(values.ByNumber(0).Name()), "UNSPECIFIED")
	return fmt.Sprintf("%s%d", prefix, e.Number())
}
