package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/sunmi-trade/sunmi-trade/clients/go/sunmi/trade/v1"
)

// script answers calls in order, and notes which came. A call past its end never settles anything.
type script struct {
	pb.TradeServiceClient
	pb.RefundLedgerServiceClient
	answers []any
	calls   []string
}

func (s *script) next(call string) any {
	s.calls = append(s.calls, call)
	if len(s.answers) == 0 {
		return errors.New("the script is over")
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	return answer
}

func (s *script) Refund(context.Context, *pb.RefundRequest, ...grpc.CallOption) (*pb.RefundResponse, error) {
	switch answer := s.next("Refund").(type) {
	case pb.TradeState:
		return &pb.RefundResponse{State: answer}, nil
	case error:
		return nil, answer
	}
	panic("not an answer of Refund")
}

func (s *script) GetRefund(_ context.Context, r *pb.GetRefundRequest, _ ...grpc.CallOption) (*pb.GetRefundResponse, error) {
	switch answer := s.next("GetRefund").(type) {
	case *pb.RefundRecord:
		return &pb.GetRefundResponse{Refund: answer}, nil
	case error:
		return nil, answer
	}
	panic("not an answer of GetRefund")
}

// refusal is the server's own, and asks for a wait of a millisecond.
func refusal(code codes.Code, reason pb.ErrorReason, outcome pb.RefundOutcome, next pb.NextStep) error {
	trade, _ := anypb.New(&pb.TradeError{Reason: reason, RefundOutcome: outcome, NextStep: next})
	retry, _ := anypb.New(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)})
	return status.ErrorProto(&spb.Status{Code: int32(code), Details: []*anypb.Any{trade, retry}})
}

func recorded(state pb.RefundRecordState, outcome pb.TradeState) *pb.RefundRecord {
	r := request("R-1")
	return &pb.RefundRecord{
		OrderId: r.OrderId, Msn: &r.Msn, AmountMinor: &r.AmountMinor, BusinessId: &r.BusinessId,
		Original: &pb.RefundRecord_OriOrderId{OriOrderId: r.GetOriOrderId()}, State: state, Outcome: outcome,
	}
}

var (
	unknown = refusal(codes.Unknown, pb.ErrorReason_ERROR_REASON_REFUND_OUTCOME_UNKNOWN,
		pb.RefundOutcome_REFUND_OUTCOME_UNKNOWN, pb.NextStep_NEXT_STEP_REPEAT_SAME_REFUND)
	notApplied = refusal(codes.Aborted, pb.ErrorReason_ERROR_REASON_REFUND_NOT_APPLIED,
		pb.RefundOutcome_REFUND_OUTCOME_NOT_APPLIED, pb.NextStep_NEXT_STEP_REPEAT_SAME_REFUND)
	notFound = refusal(codes.NotFound, pb.ErrorReason_ERROR_REASON_REFUND_NOT_FOUND,
		pb.RefundOutcome_REFUND_OUTCOME_UNSPECIFIED, pb.NextStep_NEXT_STEP_FIX_REQUEST)
	unauthenticated = refusal(codes.Unauthenticated, pb.ErrorReason_ERROR_REASON_CALLER_UNAUTHENTICATED,
		pb.RefundOutcome_REFUND_OUTCOME_NOT_ATTEMPTED, pb.NextStep_NEXT_STEP_FIX_DEPLOYMENT)
	denied = refusal(codes.PermissionDenied, pb.ErrorReason_ERROR_REASON_CALLER_NOT_ALLOWED,
		pb.RefundOutcome_REFUND_OUTCOME_NOT_ATTEMPTED, pb.NextStep_NEXT_STEP_FIX_DEPLOYMENT)
	inFlight = refusal(codes.FailedPrecondition, pb.ErrorReason_ERROR_REASON_REFUND_IN_FLIGHT,
		pb.RefundOutcome_REFUND_OUTCOME_NOT_ATTEMPTED, pb.NextStep_NEXT_STEP_RESOLVE_OPEN_REFUND)
	newer = refusal(codes.Code(77), pb.ErrorReason(99), pb.RefundOutcome(99), pb.NextStep(99))
	reset = status.Error(codes.Aborted, "no details")
	gone  = status.Error(codes.Unimplemented, "no such service")

	inDoubt   = recorded(pb.RefundRecordState_REFUND_RECORD_STATE_IN_DOUBT, 0)
	succeeded = recorded(pb.RefundRecordState_REFUND_RECORD_STATE_SETTLED, pb.TradeState_TRADE_STATE_SUCCEEDED)
	failed    = recorded(pb.RefundRecordState_REFUND_RECORD_STATE_SETTLED, pb.TradeState_TRADE_STATE_FAILED)
	untold    = recorded(pb.RefundRecordState_REFUND_RECORD_STATE_NOT_APPLIED, 0)
)

const (
	done     = pb.TradeState_TRADE_STATE_SUCCEEDED
	declined = pb.TradeState_TRADE_STATE_FAILED
	created  = pb.TradeState_TRADE_STATE_CREATED
)

func TestOnlyWhatProvesAnOutcomeSettlesARefund(t *testing.T) {
	foreign := recorded(pb.RefundRecordState_REFUND_RECORD_STATE_SETTLED, done)
	*foreign.AmountMinor = 1
	for name, c := range map[string]struct {
		asked   bool
		answers []any
		outcome Outcome
		calls   []string
	}{
		"done at once":                   {false, []any{done}, Done, []string{"Refund"}},
		"declined":                       {false, []any{declined}, Declined, []string{"Refund"}},
		"told that it was not applied":   {false, []any{notApplied}, Declined, []string{"Refund"}},
		"unknown, then told by a look":   {false, []any{unknown, succeeded}, Done, []string{"Refund", "GetRefund"}},
		"unknown, then by a repeat":      {false, []any{unknown, inDoubt, done}, Done, []string{"Refund", "GetRefund", "Refund"}},
		"unknown, then unauthenticated":  {false, []any{unknown, unauthenticated}, Pending, []string{"Refund", "GetRefund"}},
		"unauthenticated":                {false, []any{unauthenticated}, Pending, []string{"Refund"}},
		"in flight":                      {false, []any{inFlight}, Pending, []string{"Refund"}},
		"after a restart, already known": {true, []any{succeeded}, Done, []string{"GetRefund"}},
		"after a restart, declined":      {true, []any{failed}, Declined, []string{"GetRefund"}},
		"after a restart, not applied":   {true, []any{untold}, Declined, []string{"GetRefund"}},
		"after a restart, never arrived": {true, []any{notFound, done}, Done, []string{"GetRefund", "Refund"}},
		"no right to look":               {true, []any{denied, done}, Done, []string{"GetRefund", "Refund"}},
		"no service to look":             {true, []any{gone, done}, Done, []string{"GetRefund", "Refund"}},
		"the number of another refund":   {true, []any{foreign, inFlight}, Pending, []string{"GetRefund", "Refund"}},
		"a look that fails is repeated":  {true, []any{unknown, succeeded}, Done, []string{"GetRefund", "GetRefund"}},
		"unknown numbers go on":          {false, []any{newer, succeeded}, Done, []string{"Refund", "GetRefund"}},
	} {
		t.Run(name, func(t *testing.T) {
			outcome, calls := settle(t, c.asked, time.Minute, c.answers...)
			if outcome != c.outcome || !slices.Equal(calls, c.calls) {
				t.Errorf("%s after %v, expected %s after %v", outcome, calls, c.outcome, c.calls)
			}
		})
	}
}

func TestPatienceLeavesItPending(t *testing.T) {
	for name, answer := range map[string]any{
		"no TradeError": reset, "created": created, "a state of a newer server": pb.TradeState(42),
	} {
		outcome, calls := settle(t, false, 50*time.Millisecond, answer, inDoubt)
		// The last thing is a look, which moves nothing.
		if outcome != Pending || !slices.Equal(calls, []string{"Refund", "GetRefund"}) {
			t.Errorf("%s: %s after %v", name, outcome, calls)
		}
	}
}

func settle(t *testing.T, asked bool, patience time.Duration, answers ...any) (Outcome, []string) {
	store := Store(t.TempDir())
	record, _ := begin(t, store, request("R-1"))
	script := &script{answers: answers}
	refunder := &Refunder{Access: Access{Timeout: time.Second}, Patience: patience, Trade: script, Ledger: script}
	refunder.Settle(record, asked)
	record.Unlock()
	kept, _ := begin(t, store, request("R-1"))
	if kept.Outcome != record.Outcome {
		t.Errorf("%s is stored, %s is told", kept.Outcome, record.Outcome)
	}
	return record.Outcome, script.calls
}
