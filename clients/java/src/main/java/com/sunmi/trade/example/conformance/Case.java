package com.sunmi.trade.example.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.security.SecureRandom;
import java.util.List;

/**
 * A case of the table: what the sandbox is told first, the calls, and how often each refund must be
 * in the sandbox's books after them.
 */
public record Case(
    List<JsonElement> orders,
    List<JsonElement> pastRefunds,
    List<JsonElement> faults,
    List<Step> steps,
    JsonObject executions) {
  private static final SecureRandom RANDOM = new SecureRandom();

  /** One call, or one that is repeated until it comes out as expected. */
  record Step(
      String rpc,
      String caller,
      JsonObject request,
      long deadlineMs,
      boolean repeatUntil,
      Expectation expect) {

    private static Step of(JsonElement source) {
      JsonObject step = source.getAsJsonObject();
      Fields.check(step, "rpc", "as", "request", "deadline_ms", "repeat_until", "expect");
      return new Step(
          Fields.text(step, "rpc"),
          Fields.text(step, "as"),
          Fields.object(step, "request"),
          Fields.number(step, "deadline_ms", 5_000),
          step.has("repeat_until") && step.get("repeat_until").getAsBoolean(),
          Expectation.of(step.getAsJsonObject("expect")));
    }
  }

  /** Gives the case numbers of its own, so that cases and runs are in nobody's way. */
  public static Case read(JsonElement source) {
    String run = "%08x".formatted(RANDOM.nextInt());
    JsonObject it =
        JsonParser.parseString(source.toString().replace("${run}", run)).getAsJsonObject();
    Fields.check(
        it, "name", "why", "orders", "past_refunds", "faults", "steps", "executions");
    return new Case(
        Fields.list(it, "orders"),
        Fields.list(it, "past_refunds"),
        Fields.list(it, "faults"),
        Fields.list(it, "steps").stream().map(Step::of).toList(),
        Fields.object(it, "executions"));
  }
}
