package details

import (
	"errors"
	"testing"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/sunmi-trade/sunmi-trade/clients/go/sunmi/trade/v1"
)

func TestEveryDetailIsReadTyped(t *testing.T) {
	sent := []proto.Message{
		&pb.TradeError{Reason: pb.ErrorReason_ERROR_REASON_REFUND_IN_FLIGHT},
		&errdetails.ErrorInfo{Metadata: map[string]string{"openOrderId": "R-8"}},
		&errdetails.RequestInfo{RequestId: "id"},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)},
		&errdetails.BadRequest{},
		&errdetails.QuotaFailure{},
		&errdetails.LocalizedMessage{},
	}
	d := Of(status.ErrorProto(&spb.Status{Code: int32(codes.FailedPrecondition), Details: packed(t, sent)}))
	if d.Trade == nil || d.Request == nil || d.Invalid == nil || d.Quota == nil || d.Localized == nil {
		t.Errorf("a detail is missing: %+v", d)
	}
	if d.OpenOrderID() != "R-8" || d.Wait() != 3*time.Second {
		t.Errorf("open %q, wait %s", d.OpenOrderID(), d.Wait())
	}
}

func TestWhatCannotBeReadIsNoTradeError(t *testing.T) {
	broken := packed(t, []proto.Message{&pb.TradeError{RefundOutcome: pb.RefundOutcome_REFUND_OUTCOME_NOT_APPLIED}})
	broken[0].Value = broken[0].Value[:1]
	for _, err := range []error{
		errors.New("no status at all"),
		status.Error(codes.Aborted, "no details"),
		status.ErrorProto(&spb.Status{Code: int32(codes.Aborted), Details: broken}),
	} {
		if d := Of(err); d.Trade != nil || d.Wait() != 0 || d.OpenOrderID() != "" {
			t.Errorf("%v was read as %+v", err, d)
		}
	}
}

func TestNumbersOfANewerServerHaveANameToo(t *testing.T) {
	for want, value := range map[string]string{
		"ERROR_REASON_99":          Name(pb.ErrorReason(99)),
		"TRADE_STATE_-1":           Name(pb.TradeState(-1)),
		"REFUND_OUTCOME_UNKNOWN":   Name(pb.RefundOutcome_REFUND_OUTCOME_UNKNOWN),
		"REFUND_RECORD_STATE_7":    Name(pb.RefundRecordState(7)),
		"UNAVAILABLE":              Code(codes.Unavailable),
		"NEXT_STEP_FIX_DEPLOYMENT": Name(pb.NextStep_NEXT_STEP_FIX_DEPLOYMENT),
	} {
		if value != want {
			t.Errorf("%s instead of %s", value, want)
		}
	}
}

func packed(t *testing.T, messages []proto.Message) []*anypb.Any {
	var all []*anypb.Any
	for _, message := range messages {
		one, err := anypb.New(message)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}
