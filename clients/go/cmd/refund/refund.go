package main

import (
	"errors"
	"log"
	"time"

	"google.golang.org/grpc"

	pb "github.com/sunmi-trade/sunmi-trade/clients/go/sunmi/trade/v1"
)

// Without RetryInfo the wait grows from the first to the second; with it, it is at most the third.
const firstWait, longestWait, longestAsked = time.Second, 10 * time.Second, 30 * time.Second

// Refunder works on refunds until it is known what became of them.
type Refunder struct {
	Access
	Patience time.Duration
	Trade    pb.TradeServiceClient
	Ledger   pb.RefundLedgerServiceClient
}

// Begin records a refund before anything is sent. A restart finds the record of the earlier run.
func (s Store) Begin(request *pb.RefundRequest) (r *Record, asked bool, err error) {
	r, err = s.Lock(request.OrderId)
	if err != nil {
		return nil, false, err
	}
	asked = r.Request != nil
	if asked && !SameContent(r.Request, request) {
		r.Unlock()
		return nil, false, errors.New("the store has this number with other content")
	}
	switch besides := request.AcknowledgedOpenOrderIds; {
	case !asked:
		r.Outcome, r.Request = Pending, request
	case r.Outcome == Pending && len(besides) > 0:
		// No part of the content: whoever repeats the refund may have learned of them since.
		r.Request.AcknowledgedOpenOrderIds = besides
	default:
		return r, asked, nil
	}
	if err := r.Save(); err != nil {
		r.Unlock()
		return nil, false, err
	}
	return r, asked, nil
}

// Settle works on a record until it is settled, patience is over, or a person has to go on.
// asked: an earlier run may have called. Every Refund has the same number and content.
func (f *Refunder) Settle(r *Record, asked bool) {
	until := time.Now().Add(f.Patience)
	wait := firstWait
	for first := true; r.Outcome == Pending; first = false {
		answer := Answer{Outcome: Pending, Refund: true}
		if asked || !first {
			// It moves nothing, so it comes before each Refund but the very first.
			answer = f.look(r)
		}
		if answer.Outcome == Pending && answer.Refund && (first || time.Now().Before(until)) {
			answer = f.refund(r)
		}
		if answer.Outcome != Pending {
			f.settled(r, answer.Outcome)
			return
		}
		left := time.Until(until)
		if answer.Stop || left <= 0 {
			log.Printf("%s: left pending; work on it again with --resume", r.Request.OrderId)
			return
		}
		pause := wait
		if answer.Wait > 0 {
			pause = min(answer.Wait, longestAsked)
		}
		time.Sleep(min(pause, left))
		wait = min(2*wait, longestWait)
	}
}

// settled notes how it ended. If that cannot be written, the record stays as it is: pending.
func (f *Refunder) settled(r *Record, outcome Outcome) {
	r.Outcome = outcome
	if err := r.Save(); err != nil {
		log.Printf("%s: %s, but that could not be stored: %v", r.Request.OrderId, outcome, err)
		r.Outcome = Pending
	}
}

func (f *Refunder) refund(r *Record) Answer {
	ctx, cancel, err := f.Call(r.Request.OrderId)
	if err != nil {
		return notCalled("Refund", r, err)
	}
	defer cancel()
	// WaitForReady: while the channel is connecting, the call waits, for as long as its deadline.
	response, err := f.Trade.Refund(ctx, r.Request, grpc.WaitForReady(true))
	answer := ofRefund(response, err)
	log.Printf("%s: Refund: %s", r.Request.OrderId, answer.Words)
	return answer
}

func (f *Refunder) look(r *Record) Answer {
	ctx, cancel, err := f.Call(r.Request.OrderId)
	if err != nil {
		return notCalled("GetRefund", r, err)
	}
	defer cancel()
	request := &pb.GetRefundRequest{AppId: r.Request.AppId, OrderId: r.Request.OrderId}
	response, err := f.Ledger.GetRefund(ctx, request, grpc.WaitForReady(true))
	answer := ofLook(r.Request, response, err)
	log.Printf("%s: GetRefund: %s", r.Request.OrderId, answer.Words)
	return answer
}

func notCalled(rpc string, r *Record, err error) Answer {
	log.Printf("%s: %s: not called: %v", r.Request.OrderId, rpc, err)
	return Answer{Outcome: Pending, Stop: true}
}
