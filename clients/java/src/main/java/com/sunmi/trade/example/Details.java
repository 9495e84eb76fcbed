package com.sunmi.trade.example;

import com.google.protobuf.Any;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.LocalizedMessage;
import com.google.rpc.QuotaFailure;
import com.google.rpc.RequestInfo;
import com.google.rpc.RetryInfo;
import com.sunmi.trade.v1.ErrorReason;
import com.sunmi.trade.v1.NextStep;
import com.sunmi.trade.v1.RefundOutcome;
import com.sunmi.trade.v1.TradeError;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * What the error of a call says, typed; docs/errors.md tells of each detail. One that is not there
 * is null.
 *
 * @param trade null where the error is not the server's own: the connection broke, the deadline
 *     passed here, something on the way answered. Of a Refund that says nothing: the money may have
 *     moved.
 */
public record Details(
    Status status,
    TradeError trade,
    ErrorInfo info,
    RequestInfo request,
    RetryInfo retry,
    BadRequest invalid,
    QuotaFailure quota,
    LocalizedMessage localized) {

  /** Reads an error that a call threw. Details that cannot be read are as if they were absent. */
  public static Details of(StatusRuntimeException thrown) {
    List<Any> all = all(thrown);
    return new Details(
        thrown.getStatus(),
        find(all, TradeError.class),
        find(all, ErrorInfo.class),
        find(all, RequestInfo.class),
        find(all, RetryInfo.class),
        find(all, BadRequest.class),
        find(all, QuotaFailure.class),
        find(all, LocalizedMessage.class));
  }

  private static List<Any> all(StatusRuntimeException thrown) {
    try {
      return StatusProto.fromThrowable(thrown).getDetailsList();
    } catch (RuntimeException unreadable) {
      // The trailer does not parse, or is of another status.
      return List.of();
    }
  }

  private static <M extends Message> M find(List<Any> all, Class<M> type) {
    for (Any detail : all) {
      try {
        if (detail.is(type)) {
          return detail.unpack(type);
        }
      } catch (InvalidProtocolBufferException unreadable) {
        // As if it were absent.
      }
    }
    return null;
  }

  /** How long the server asks to wait; zero where it does not say. */
  public Duration waitFor() {
    if (retry == null || retry.getRetryDelay().getSeconds() < 0) {
      return Duration.ZERO;
    }
    // Beyond ten thousand years it is no Duration of the contract's, and may be none of Java's.
    long seconds = Math.min(retry.getRetryDelay().getSeconds(), 315_576_000_000L);
    return Duration.ofSeconds(seconds, Math.max(0, retry.getRetryDelay().getNanos()));
  }

  /** The number of another refund of the payment that is in this one's way; empty without one. */
  public String openOrderId() {
    return info == null ? "" : info.getMetadataOrDefault("openOrderId", "");
  }

  /**
   * The name of an enum's value, such as ERROR_REASON_99 for a number of a newer server. Take the
   * number from {@code getReasonValue()}: of an unknown one {@code getReason()} is UNRECOGNIZED,
   * and {@code getReason().getNumber()} throws.
   */
  public static String name(EnumDescriptor type, int number) {
    EnumValueDescriptor known = type.findValueByNumber(number);
    if (known != null) {
      return known.getName();
    }
    return type.findValueByNumber(0).getName().replaceFirst("UNSPECIFIED$", "") + number;
  }

  /** All of it in one line, for a log. */
  @Override
  public String toString() {
    List<String> said = new ArrayList<>(List.of(status.getCode().name()));
    if (trade == null) {
      said.add("no TradeError");
    } else {
      said.add(name(ErrorReason.getDescriptor(), trade.getReasonValue()));
      said.add(name(RefundOutcome.getDescriptor(), trade.getRefundOutcomeValue()));
      said.add(name(NextStep.getDescriptor(), trade.getNextStepValue()));
      if (trade.hasSunmiCode()) {
        said.add("Sunmi's %s %s".formatted(trade.getSunmiCode(), trade.getSunmiMessage()));
      }
    }
    if (!waitFor().isZero()) {
      said.add("retry after " + waitFor());
    }
    if (invalid != null) {
      invalid.getFieldViolationsList()
          .forEach(it -> said.add(it.getField() + ": " + it.getDescription()));
    }
    if (quota != null) {
      quota.getViolationsList()
          .forEach(it -> said.add(it.getSubject() + ": " + it.getDescription()));
    }
    if (request != null) {
      said.add("request " + request.getRequestId());
    }
    return String.join(", ", said) + ": " + told(status);
  }

  /**
   * What gRPC says of a status, in one line. What is wrong with a connection stands in the causes,
   * the last of which says most; without wait-for-ready they are there at once.
   */
  private static String told(Status status) {
    StringBuilder told = new StringBuilder();
    // The description of a deadline has stack traces in it.
    String.valueOf(status.getDescription())
        .lines()
        .filter(line -> !line.startsWith("\t"))
        .forEach(line -> told.append(told.isEmpty() ? "" : " ").append(line));
    for (Throwable it = status.getCause(); it != null; it = it.getCause()) {
      told.append(" <- ").append(it);
    }
    return told.toString();
  }
}
