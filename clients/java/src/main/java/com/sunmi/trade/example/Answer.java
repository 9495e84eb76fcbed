package com.sunmi.trade.example;

import com.sunmi.trade.v1.ErrorReason;
import com.sunmi.trade.v1.GetRefundResponse;
import com.sunmi.trade.v1.NextStep;
import com.sunmi.trade.v1.RefundEvidence;
import com.sunmi.trade.v1.RefundOutcome;
import com.sunmi.trade.v1.RefundRecord;
import com.sunmi.trade.v1.RefundRecordState;
import com.sunmi.trade.v1.RefundRequest;
import com.sunmi.trade.v1.RefundResponse;
import com.sunmi.trade.v1.TradeState;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;

/**
 * What one call came to. Enums are read by number: those of a newer server are none that this
 * program knows, and leave a refund pending.
 *
 * @param outcome PENDING: as open as before
 * @param stop repeating is of no use until a person has done something
 * @param refund of a look: whether to go on with Refund, rather than wait and look again
 * @param delay how long the server asks to wait; zero where it does not say
 */
record Answer(Outcome outcome, boolean stop, boolean refund, Duration delay, String words) {

  /** Of Refund. */
  static Answer of(RefundResponse response) {
    String words =
        "OK, %s, %s, replayed %b"
            .formatted(
                Details.name(TradeState.getDescriptor(), response.getStateValue()),
                Details.name(RefundEvidence.getDescriptor(), response.getEvidenceValue()),
                response.getReplayed());
    return new Answer(ofState(response.getStateValue()), false, false, Duration.ZERO, words);
  }

  /** CREATED, UNPAID, PROCESSING and what a newer server may add are on the way, and no end. */
  private static Outcome ofState(int state) {
    return switch (state) {
      case TradeState.TRADE_STATE_SUCCEEDED_VALUE -> Outcome.DONE;
      case TradeState.TRADE_STATE_FAILED_VALUE -> Outcome.DECLINED;
      default -> Outcome.PENDING;
    };
  }

  /**
   * Only NOT_APPLIED says that no money moved. UNKNOWN and no TradeError say nothing, whatever the
   * status; NOT_ATTEMPTED, a refused caller among it, says nothing of earlier calls.
   */
  static Answer of(StatusRuntimeException thrown) {
    Details details = Details.of(thrown);
    boolean declined =
        details.trade() != null
            && details.trade().getRefundOutcomeValue()
                == RefundOutcome.REFUND_OUTCOME_NOT_APPLIED_VALUE;
    String words = details.toString();
    if (reasonIs(details, ErrorReason.ERROR_REASON_REFUND_IN_FLIGHT_VALUE)) {
      // It may be the same refund under another number.
      words += "; %s is open: resolve that one first, or name it with --besides if both are wanted"
          .formatted(details.openOrderId());
    }
    Outcome outcome = declined ? Outcome.DECLINED : Outcome.PENDING;
    return new Answer(outcome, isForAPerson(details), false, details.waitFor(), words);
  }

  private static boolean isForAPerson(Details details) {
    Status.Code code = details.status().getCode();
    if (code == Status.Code.UNAUTHENTICATED || code == Status.Code.PERMISSION_DENIED) {
      return true;
    }
    return details.trade() != null
        && switch (details.trade().getNextStepValue()) {
          case NextStep.NEXT_STEP_FIX_REQUEST_VALUE,
              NextStep.NEXT_STEP_FIX_MERCHANT_ACCOUNT_VALUE,
              NextStep.NEXT_STEP_FIX_DEPLOYMENT_VALUE,
              NextStep.NEXT_STEP_ASK_SUNMI_VALUE,
              NextStep.NEXT_STEP_RESOLVE_OPEN_REFUND_VALUE -> true;
          default -> false;
        };
  }

  /** Of GetRefund. */
  static Answer ofLook(RefundRequest request, GetRefundResponse response) {
    RefundRecord record = response.getRefund();
    int state = record.getStateValue();
    String words =
        "OK, %s, %s"
            .formatted(
                Details.name(RefundRecordState.getDescriptor(), state),
                Details.name(TradeState.getDescriptor(), record.getOutcomeValue()));
    if (record.getNeedsPerson()) {
      words += ", needs a person at the server: " + record.getDoubtReason();
    }
    Outcome outcome = Outcome.PENDING;
    if (!tellsOf(request, record)) {
      // Refund compares the content.
      words += ", of other content, or of none that is kept";
    } else if (record.hasDispute()) {
      // Sunmi contradicts what the ledger says, and Refund would only say that again.
      words += ", disputed, a person has to find out: " + record.getDispute();
      return new Answer(outcome, true, false, Duration.ZERO, words);
    } else if (state == RefundRecordState.REFUND_RECORD_STATE_SETTLED_VALUE) {
      outcome = ofState(record.getOutcomeValue());
    } else if (state == RefundRecordState.REFUND_RECORD_STATE_NOT_APPLIED_VALUE) {
      outcome = Outcome.DECLINED;
    }
    return new Answer(outcome, false, true, Duration.ZERO, words);
  }

  /**
   * Of GetRefund. Where the ledger does not know the refund, or this caller may not look, or the
   * server has no such call, Refund may tell: it asks before it acts, too.
   */
  static Answer ofLook(StatusRuntimeException thrown) {
    Answer answer = of(thrown);
    Status.Code code = thrown.getStatus().getCode();
    if (code == Status.Code.PERMISSION_DENIED
        || code == Status.Code.UNIMPLEMENTED
        || reasonIs(Details.of(thrown), ErrorReason.ERROR_REASON_REFUND_NOT_FOUND_VALUE)) {
      return new Answer(answer.outcome, false, true, answer.delay, answer.words);
    }
    return answer;
  }

  private static boolean reasonIs(Details details, int reason) {
    return details.trade() != null && details.trade().getReasonValue() == reason;
  }

  /** Whether a record is of this refund, and not of another one with its number. */
  private static boolean tellsOf(RefundRequest request, RefundRecord record) {
    RefundRequest.Builder kept =
        RefundRequest.newBuilder()
            .setAppId(request.getAppId())
            .setOrderId(record.getOrderId())
            .setMsn(record.getMsn())
            .setAmountMinor(record.getAmountMinor())
            .setBusinessId(record.getBusinessId());
    switch (record.getOriginalCase()) {
      case ORI_MIS_ID -> kept.setOriMisId(record.getOriMisId());
      case ORI_PLATFORM_ID -> kept.setOriPlatformId(record.getOriPlatformId());
      case ORI_ORDER_ID -> kept.setOriOrderId(record.getOriOrderId());
      case ORIGINAL_NOT_SET -> { }
    }
    return !record.getEmptied() && content(kept.build()).equals(content(request));
  }

  /** What the server binds a number to: two requests with the same content are one refund. */
  static RefundRequest content(RefundRequest request) {
    return request.toBuilder()
        .clearAcknowledgedOpenOrderIds()
        .clearOperator()
        .clearReason()
        .build();
  }
}
