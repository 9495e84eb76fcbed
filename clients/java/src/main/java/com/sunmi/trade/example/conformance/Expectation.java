package com.sunmi.trade.example.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import com.google.rpc.BadRequest;
import com.sunmi.trade.example.Details;
import io.grpc.StatusRuntimeException;
import java.util.ArrayList;
import java.util.List;

/** What a call must come to. What is not named may be anything; null stands for absent. */
record Expectation(JsonObject fields) {

  static Expectation of(JsonObject fields) {
    Fields.check(
        fields, "status", "response", "error", "metadata", "retry", "retry_at_least_ms",
        "violations", "localized");
    return new Expectation(fields);
  }

  /** In what an answer is not as expected; empty where it is. */
  List<String> problemsOf(Message response) throws InvalidProtocolBufferException {
    List<String> problems = new ArrayList<>();
    compare("status", fields.get("status"), new JsonPrimitive("OK"), problems);
    contained("response", fields.get("response"), json(response), problems);
    contained("error", fields.get("error"), JsonNull.INSTANCE, problems);
    detailsOf(null, problems);
    return problems;
  }

  List<String> problemsOf(StatusRuntimeException thrown) throws InvalidProtocolBufferException {
    List<String> problems = new ArrayList<>();
    Details details = Details.of(thrown);
    String code = thrown.getStatus().getCode().name();
    compare("status", fields.get("status"), new JsonPrimitive(code), problems);
    contained("response", fields.get("response"), JsonNull.INSTANCE, problems);
    contained("error", fields.get("error"), json(details.trade()), problems);
    detailsOf(details, problems);
    if (!problems.isEmpty()) {
      problems.add(details.toString());
    }
    return problems;
  }

  private void detailsOf(Details details, List<String> problems) {
    boolean waits = details != null && !details.waitFor().isZero();
    flag("retry", waits, problems);
    flag("localized", details != null && details.localized() != null, problems);
    long least = Fields.number(fields, "retry_at_least_ms", 0);
    if (least > 0 && (!waits || details.waitFor().toMillis() < least)) {
      problems.add("RetryInfo of at least %d ms expected".formatted(least));
    }
    contained("metadata", fields.get("metadata"), metadata(details), problems);
    if (fields.has("violations")) {
      violations(details == null ? null : details.invalid(), problems);
    }
  }

  private static JsonElement metadata(Details details) {
    JsonObject metadata = new JsonObject();
    if (details != null && details.info() != null) {
      details.info().getMetadataMap().forEach(metadata::addProperty);
    }
    return metadata;
  }

  private void flag(String name, boolean came, List<String> problems) {
    if (fields.has(name) && fields.get(name).getAsBoolean() != came) {
      problems.add("%s: %b expected, %b came".formatted(name, !came, came));
    }
  }

  private void violations(BadRequest invalid, List<String> problems) {
    List<String> wanted =
        fields.getAsJsonArray("violations").asList().stream()
            .map(JsonElement::getAsString).sorted().toList();
    List<String> came =
        (invalid == null ? BadRequest.getDefaultInstance() : invalid)
            .getFieldViolationsList().stream().map(it -> it.getField()).sorted().toList();
    if (!wanted.equals(came)) {
      problems.add("violations %s expected, %s came".formatted(wanted, came));
    }
  }

  /** Proto3 JSON, with fields that have no presence and their default value. */
  private static JsonElement json(Message message) throws InvalidProtocolBufferException {
    if (message == null) {
      return JsonNull.INSTANCE;
    }
    return JsonParser.parseString(JsonFormat.printer().includingDefaultValueFields().print(message));
  }

  /** Objects by key, arrays element by element, all else equal. */
  private static void contained(
      String path, JsonElement wanted, JsonElement came, List<String> problems) {
    if (wanted == null) {
      return;
    }
    if (wanted.isJsonObject() && came.isJsonObject()) {
      for (String key : wanted.getAsJsonObject().keySet()) {
        JsonElement there = came.getAsJsonObject().get(key);
        contained(
            path + "." + key, wanted.getAsJsonObject().get(key),
            there == null ? JsonNull.INSTANCE : there, problems);
      }
    } else if (wanted.isJsonArray()
        && came.isJsonArray()
        && wanted.getAsJsonArray().size() == came.getAsJsonArray().size()) {
      for (int at = 0; at < wanted.getAsJsonArray().size(); at++) {
        contained(
            "%s[%d]".formatted(path, at), wanted.getAsJsonArray().get(at),
            came.getAsJsonArray().get(at), problems);
      }
    } else {
      compare(path, wanted, came, problems);
    }
  }

  private static void compare(
      String path, JsonElement wanted, JsonElement came, List<String> problems) {
    if (!came.equals(wanted)) {
      problems.add("%s: %s expected, %s came".formatted(path, wanted, came));
    }
  }
}
