package main

import (
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/sunmi-trade/sunmi-trade/clients/go/details"
	pb "github.com/sunmi-trade/sunmi-trade/clients/go/sunmi/trade/v1"
)

// Answer is what one call came to.
type Answer struct {
	// Pending: as open as before.
	Outcome Outcome
	// Repeating is of no use until a person has done something.
	Stop bool
	// Of a look: whether to go on with Refund now, rather than stop, or wait and look again.
	Refund bool
	// How long the server asks to wait; zero where it does not say.
	Wait  time.Duration
	Words string
}

// ofState: CREATED, UNPAID, PROCESSING and what a newer server may add are on the way, and no end.
func ofState(state pb.TradeState) Outcome {
	switch state {
	case pb.TradeState_TRADE_STATE_SUCCEEDED:
		return Done
	case pb.TradeState_TRADE_STATE_FAILED:
		return Declined
	}
	return Pending
}

// ofRefund is what Refund came to.
func ofRefund(response *pb.RefundResponse, err error) Answer {
	if err != nil {
		return ofError(err)
	}
	words := fmt.Sprintf("OK, %s, %s, replayed %t",
		details.Name(response.State), details.Name(response.Evidence), response.Replayed)
	return Answer{Outcome: ofState(response.State), Words: words}
}

// ofError: only NOT_APPLIED says that no money moved. UNKNOWN and no TradeError say nothing,
// whatever the status; NOT_ATTEMPTED, a refused caller among it, says nothing of earlier calls.
func ofError(err error) Answer {
	d := details.Of(err)
	answer := Answer{Outcome: Pending, Wait: d.Wait(), Words: d.String()}
	if d.Trade.GetRefundOutcome() == pb.RefundOutcome_REFUND_OUTCOME_NOT_APPLIED {
		answer.Outcome = Declined
	}
	switch d.Trade.GetNextStep() {
	case pb.NextStep_NEXT_STEP_FIX_REQUEST, pb.NextStep_NEXT_STEP_FIX_MERCHANT_ACCOUNT,
		pb.NextStep_NEXT_STEP_FIX_DEPLOYMENT, pb.NextStep_NEXT_STEP_ASK_SUNMI,
		pb.NextStep_NEXT_STEP_RESOLVE_OPEN_REFUND:
		answer.Stop = true
	}
	if d.Code == codes.Unauthenticated || d.Code == codes.PermissionDenied {
		answer.Stop = true
	}
	if d.Trade.GetReason() == pb.ErrorReason_ERROR_REASON_REFUND_IN_FLIGHT {
		// It may be the same refund under another number.
		answer.Words += fmt.Sprintf("; %q is open: resolve that one first, or name it with --besides if both are wanted",
			d.OpenOrderID())
	}
	return answer
}

// ofLook is what GetRefund came to, of a refund that was asked for.
func ofLook(request *pb.RefundRequest, response *pb.GetRefundResponse, err error) Answer {
	if err != nil {
		return ofFailedLook(err)
	}
	record := response.GetRefund()
	answer := Answer{Outcome: Pending, Refund: true}
	answer.Words = fmt.Sprintf("OK, %s, %s", details.Name(record.GetState()), details.Name(record.GetOutcome()))
	if record.GetNeedsPerson() {
		answer.Words += ", needs a person at the server: " + record.GetDoubtReason()
	}
	if !tellsOf(request, record) {
		// Refund alone compares the content.
		answer.Words += ", of other content, or of none that is kept"
		return answer
	}
	if record.Dispute != nil {
		// Sunmi contradicts what the ledger says, and Refund would only say that again.
		answer.Stop, answer.Refund = true, false
		answer.Words += ", disputed, a person has to find out: " + record.GetDispute()
		return answer
	}
	switch record.State {
	case pb.RefundRecordState_REFUND_RECORD_STATE_SETTLED:
		answer.Outcome = ofState(record.Outcome)
	case pb.RefundRecordState_REFUND_RECORD_STATE_NOT_APPLIED:
		answer.Outcome = Declined
	}
	return answer
}

// ofFailedLook: where the ledger does not know the refund, or this caller may not look, or the
// server has no such call, Refund may tell. It asks before it acts, too.
func ofFailedLook(err error) Answer {
	answer, d := ofError(err), details.Of(err)
	answer.Refund = d.Trade.GetReason() == pb.ErrorReason_ERROR_REASON_REFUND_NOT_FOUND ||
		d.Code == codes.PermissionDenied || d.Code == codes.Unimplemented
	return answer
}

// tellsOf says whether a record is of this refund, and not of another one with its number.
func tellsOf(request *pb.RefundRequest, record *pb.RefundRecord) bool {
	if record.GetEmptied() {
		return false
	}
	kept := &pb.RefundRequest{
		AppId: request.AppId, OrderId: record.GetOrderId(), Msn: record.GetMsn(),
		AmountMinor: record.GetAmountMinor(), BusinessId: record.GetBusinessId(),
	}
	switch original := record.GetOriginal().(type) {
	case *pb.RefundRecord_OriMisId:
		kept.Original = &pb.RefundRequest_OriMisId{OriMisId: original.OriMisId}
	case *pb.RefundRecord_OriPlatformId:
		kept.Original = &pb.RefundRequest_OriPlatformId{OriPlatformId: original.OriPlatformId}
	case *pb.RefundRecord_OriOrderId:
		kept.Original = &pb.RefundRequest_OriOrderId{OriOrderId: original.OriOrderId}
	}
	return SameContent(kept, request)
}
