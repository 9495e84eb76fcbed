package com.sunmi.trade.example;

import com.sunmi.trade.v1.GetRefundRequest;
import com.sunmi.trade.v1.RefundLedgerServiceGrpc;
import com.sunmi.trade.v1.RefundRequest;
import com.sunmi.trade.v1.TradeServiceGrpc;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.AbstractStub;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.LocalTime;
import java.util.concurrent.TimeUnit;

/** Works on refunds until it is known what became of them. Patience is for each, in nanoseconds. */
final class Refunder {
  /** Without RetryInfo the waits grow from the first to the second; one asked for has a bound. */
  private static final long FIRST_WAIT = TimeUnit.SECONDS.toNanos(1);

  private static final long LONGEST_WAIT = TimeUnit.SECONDS.toNanos(10);
  private static final Duration LONGEST_ASKED = Duration.ofSeconds(30);

  private final Access access;
  private final long patience;
  private final TradeServiceGrpc.TradeServiceBlockingStub trade;
  private final RefundLedgerServiceGrpc.RefundLedgerServiceBlockingStub ledger;

  Refunder(Access access, long patience) {
    this.access = access;
    this.patience = patience;
    // Wait for ready: while the channel is connecting, a call waits, for as long as its deadline.
    trade = TradeServiceGrpc.newBlockingStub(access.channel()).withWaitForReady();
    ledger = RefundLedgerServiceGrpc.newBlockingStub(access.channel()).withWaitForReady();
  }

  /**
   * Works on a record until it is settled, patience is over, or a person has to go on. Every Refund
   * has the same number and content. Asked: an earlier run may have called.
   */
  void settle(RefundStore.Record record, boolean asked) throws InterruptedException {
    if (record.outcome == Outcome.PENDING) {
      access.warmUp();
    }
    String number = record.request.getOrderId();
    long until = System.nanoTime() + patience;
    long wait = FIRST_WAIT;
    for (boolean first = true; record.outcome == Outcome.PENDING; first = false) {
      Answer answer = new Answer(Outcome.PENDING, false, true, Duration.ZERO, "");
      if (asked || !first) {
        // It moves nothing, so it comes before each Refund but the very first.
        answer = look(record.request);
      }
      boolean inTime = first || System.nanoTime() < until;
      if (answer.outcome() == Outcome.PENDING && answer.refund() && inTime) {
        answer = refund(record.request);
      }
      if (answer.outcome() != Outcome.PENDING) {
        settled(record, answer.outcome());
        return;
      }
      long left = until - System.nanoTime();
      if (answer.stop() || left <= 0) {
        log(number, "left pending; work on it again with --resume");
        return;
      }
      TimeUnit.NANOSECONDS.sleep(Math.min(pause(answer.delay(), wait), left));
      wait = Math.min(2 * wait, LONGEST_WAIT);
    }
  }

  private static long pause(Duration asked, long usual) {
    if (asked.isZero()) {
      return usual;
    }
    return asked.compareTo(LONGEST_ASKED) < 0 ? asked.toNanos() : LONGEST_ASKED.toNanos();
  }

  /** Notes how it ended. If that cannot be written, the record stays as it is: pending. */
  private static void settled(RefundStore.Record record, Outcome outcome) {
    try {
      record.outcome = outcome;
      record.save();
    } catch (IOException failed) {
      log(record.request.getOrderId(), outcome + ", but that could not be stored: " + failed);
      record.outcome = Outcome.PENDING;
    }
  }

  private Answer refund(RefundRequest request) {
    String number = request.getOrderId();
    Answer answer;
    try {
      answer = Answer.of(forCall(trade, number).refund(request));
    } catch (StatusRuntimeException thrown) {
      answer = Answer.of(thrown);
    } catch (UncheckedIOException noToken) {
      answer = notCalled(noToken);
    }
    log(number, "Refund: " + answer.words());
    return answer;
  }

  private Answer look(RefundRequest request) {
    String number = request.getOrderId();
    GetRefundRequest look =
        GetRefundRequest.newBuilder().setAppId(request.getAppId()).setOrderId(number).build();
    Answer answer;
    try {
      answer = Answer.ofLook(request, forCall(ledger, number).getRefund(look));
    } catch (StatusRuntimeException thrown) {
      answer = Answer.ofLook(thrown);
    } catch (UncheckedIOException noToken) {
      answer = notCalled(noToken);
    }
    log(number, "GetRefund: " + answer.words());
    return answer;
  }

  private <S extends AbstractStub<S>> S forCall(S stub, String number) {
    return access.forCall(stub, RefundStore.escape(number));
  }

  private static Answer notCalled(UncheckedIOException why) {
    return new Answer(Outcome.PENDING, true, false, Duration.ZERO, "not called: " + why.getCause());
  }

  static void log(String number, String words) {
    System.err.println(LocalTime.now() + " " + number + ": " + words);
  }
}
