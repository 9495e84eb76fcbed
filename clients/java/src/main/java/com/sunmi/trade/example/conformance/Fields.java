package com.sunmi.trade.example.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.List;
import java.util.Set;

/** Fields of the table. One that is not known is an error, so that nothing is overlooked. */
public final class Fields {

  /** Raises an error where there is a field beside these. */
  public static void check(JsonObject object, String... known) {
    for (String name : object.keySet()) {
      if (!Set.of(known).contains(name)) {
        throw new IllegalArgumentException("unknown field " + name);
      }
    }
  }

  static List<JsonElement> list(JsonObject object, String name) {
    return object.has(name) ? object.getAsJsonArray(name).asList() : List.of();
  }

  static JsonObject object(JsonObject object, String name) {
    return object.has(name) ? object.getAsJsonObject(name) : new JsonObject();
  }

  static String text(JsonObject object, String name) {
    return object.has(name) ? object.get(name).getAsString() : "";
  }

  static long number(JsonObject object, String name, long usual) {
    return object.has(name) ? object.get(name).getAsLong() : usual;
  }

  private Fields() {}
}
