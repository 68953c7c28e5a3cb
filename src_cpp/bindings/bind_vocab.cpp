#include <pybind11/native_enum.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>

#include "bindings/bind.h"
#include "vocab/vocabulary.h"

namespace py = pybind11;

namespace {

using midigpt::EncoderConfig;
using midigpt::Level;
using midigpt::TokenDomains;
using midigpt::TokenType;
using midigpt::Vocabulary;
using midigpt::bindings::by_reference;

using NamedDomains = std::vector<std::pair<std::string, int>>;

TokenDomains parsed(const NamedDomains& named) {
  TokenDomains domains;
  for (const auto& [name, size] : named) domains.emplace_back(midigpt::parse_token_type(name), size);
  return domains;
}

NamedDomains named(const TokenDomains& domains) {
  NamedDomains out;
  for (const auto& [type, size] : domains) out.emplace_back(midigpt::token_type_name(type), size);
  return out;
}

py::list domain_rows(const TokenDomains& domains) {
  py::list rows;
  for (const auto& [type, size] : domains) {
    rows.append(py::dict(py::arg("type") = midigpt::token_type_name(type), py::arg("domain_size") = size));
  }
  return rows;
}

TokenDomains domains_from_rows(const py::iterable& rows) {
  TokenDomains domains;
  for (const py::handle row : rows) {
    domains.emplace_back(midigpt::parse_token_type(row["type"].cast<std::string>()), row["domain_size"].cast<int>());
  }
  return domains;
}

// ("track", "OnsetPolyphony") -> (track, type)
std::vector<std::pair<Level, TokenType>> parsed_slots(const std::vector<std::pair<std::string, std::string>>& slots) {
  std::vector<std::pair<Level, TokenType>> out;
  for (const auto& [level, type] : slots) {
    if (level != "track" && level != "bar") throw py::value_error("a level is 'track' or 'bar', not '" + level + "'");
    out.emplace_back(level == "track" ? Level::track : Level::bar, midigpt::parse_token_type(type));
  }
  return out;
}

std::vector<std::string> slot_names(const Vocabulary& vocabulary, Level level) {
  std::vector<std::string> names;
  for (const auto& slot : vocabulary.slots(level)) names.emplace_back(midigpt::token_type_name(slot.type));
  return names;
}

std::vector<std::string> slot_keys(const Vocabulary& vocabulary, Level level) {
  std::vector<std::string> keys;
  for (const auto& slot : vocabulary.slots(level)) keys.emplace_back(slot.key);
  return keys;
}

// A read-only view that keeps the vocabulary alive.
template <typename Out, typename In>
py::array view(const py::object& owner, const std::vector<In>& data) {
  static_assert(sizeof(Out) == sizeof(In));
  py::array_t<Out> array(static_cast<py::ssize_t>(data.size()), reinterpret_cast<const Out*>(data.data()), owner);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

py::object config_from_json(const py::object& text) {
  return py::module_::import("midigpt_nb.tokenizer.config").attr("EncoderConfig").attr("from_json")(text);
}

// The part of a Python subclass that only Python knows (attribute controls, unknown keys) rides along.
py::object config_to_json(const py::object& self) {
  return py::module_::import("midigpt_nb.tokenizer.config").attr("config_to_json")(self);
}

void bind_enum(py::module_& m) {
  py::native_enum<TokenType> token_type(m, "TokenType", "enum.IntEnum", "Kinds of tokens; values are permanent numbers.");
#define TOKEN(name, number, others, values) token_type.value(#name, TokenType::name);
#include "vocab/token_types.def"
#undef TOKEN
  token_type.finalize();
  m.def("parse_token_type", &midigpt::parse_token_type, py::arg("name"), "The type with this canonical, legacy or short name.");
  m.def("token_types", [] {
    std::vector<std::tuple<std::string, int, std::string>> rows;
    for (const auto& row : midigpt::kTokenTypes) {
      rows.emplace_back(row.name, static_cast<int>(row.type), row.others);
    }
    return rows;
  }, "Rows (canonical name, number, other spellings separated by spaces) of the token type table.");
}

void bind_slots(py::module_& m) {
  m.def("attribute_slots", [] {
    std::vector<std::tuple<std::string, std::string, std::string, bool>> rows;
#define SLOT(level, type, key, by_default) rows.emplace_back(#level, #type, key, by_default);
#include "vocab/attribute_slots.def"
#undef SLOT
    return rows;
  }, "Rows (level, token type, key in a score's attributes, on by default) in the order of writing.");
}

void bind_config(py::module_& m) {
  py::class_<EncoderConfig, std::shared_ptr<EncoderConfig>> config(m, "EncoderConfig", "Fields of an encoder configuration.");
  config.def(py::init<>());
  config.def(py::init<const EncoderConfig&>(), py::arg("other"));
#define FIELD(type, name, default_value, meaning) config.def_readwrite(#name, &EncoderConfig::name, meaning);
#include "vocab/encoder_config.def"
#undef FIELD
  // As in the JSON form: [{"type": name, "domain_size": n}, ...].
  config.def_property("token_domains", [](const EncoderConfig& c) { return domain_rows(c.token_domains); },
                      [](EncoderConfig& c, const py::iterable& rows) { c.token_domains = domains_from_rows(rows); });
  config.def("validate", [](const EncoderConfig& c) { midigpt::validate(c); }, "Raise EncoderConfigError for impossible values.");
  config.def("derived_domains", [](const EncoderConfig& c) {
    midigpt::validate(c);
    return named(midigpt::derived_domains(c));
  }, "Structural (type name, size) pairs that follow from the other fields.");
  config.def_static("from_json", &config_from_json, py::arg("text"), "Read a configuration (see midigpt_nb.tokenizer).");
  config.def("to_json", &config_to_json, "Write it back, unknown keys included.");
  config.def_static("fields", [] {
    std::vector<std::tuple<std::string, std::string, std::string>> rows;
#define FIELD(type, name, default_value, meaning) rows.emplace_back(#name, #type, meaning);
#include "vocab/encoder_config.def"
#undef FIELD
    return rows;
  }, "Rows (name, kind, meaning) of the field table.");
}

void bind_vocabulary(py::module_& m) {
  py::class_<Vocabulary, std::shared_ptr<Vocabulary>>(m, "Vocabulary", "Token ids and what they mean. Immutable.")
      .def(py::init([](const EncoderConfig& config, const NamedDomains& appended,
                       const std::vector<std::pair<std::string, std::string>>& optional_slots) {
             return std::make_shared<Vocabulary>(config, parsed(appended), parsed_slots(optional_slots));
           }),
           py::arg("config"), py::arg("appended") = NamedDomains{},
           py::arg("optional_slots") = std::vector<std::pair<std::string, std::string>>{})
      .def_property_readonly("size", by_reference(&Vocabulary::size))
      .def("__len__", by_reference(&Vocabulary::size))
      .def_property_readonly("domains", [](const Vocabulary& v) { return named(v.domains()); })
      .def("has", by_reference(&Vocabulary::has), py::arg("type"))
      .def("domain_size", by_reference(&Vocabulary::domain_size), py::arg("type"))
      .def("range", [](const Vocabulary& v, TokenType type) {
        const auto range = v.range(type);
        return std::pair(range.start, range.end);
      }, py::arg("type"), "First id and one past the last; (-1, -1) if absent.")
      .def("encode", by_reference(&Vocabulary::encode), py::arg("type"), py::arg("value"))
      .def("decode", [](const Vocabulary& v, int id) {
        const auto token = v.decode(id);
        return std::pair(token.type, token.value);
      }, py::arg("id"))
      // The names that the published package has for them.
      .def("encode_val", by_reference(&Vocabulary::encode), py::arg("type"), py::arg("value"))
      .def("get_type", [](const Vocabulary& v, int id) { return v.decode(id).type; }, py::arg("id"))
      .def("is_type", [](const Vocabulary& v, int id, TokenType type) { return v.decode(id).type == type; }, py::arg("id"), py::arg("type"))
      .def_property_readonly("config", [](const Vocabulary& v) { return v.config(); }, "A copy of the configuration it was made from.")
      .def_property_readonly("type_ids", [](const py::object& self) {
        return view<std::uint8_t>(self, self.cast<const Vocabulary&>().types());
      })
      .def_property_readonly("values", [](const py::object& self) {
        return view<std::int16_t>(self, self.cast<const Vocabulary&>().values());
      })
      .def_property_readonly("track_slots", [](const Vocabulary& v) { return slot_names(v, Level::track); })
      .def_property_readonly("bar_slots", [](const Vocabulary& v) { return slot_names(v, Level::bar); })
      .def_property_readonly("track_slot_keys", [](const Vocabulary& v) { return slot_keys(v, Level::track); })
      .def_property_readonly("bar_slot_keys", [](const Vocabulary& v) { return slot_keys(v, Level::bar); })
      .def("velocity_level", [](const Vocabulary& v, int velocity) { return v.velocity_bins().level(velocity); }, py::arg("velocity"))
      .def("velocity_of_level", [](const Vocabulary& v, int level) {
        (void)v.encode(TokenType::VelocityLevel, level);
        return v.velocity_bins().velocity(level);
      }, py::arg("level"))
      .def("instrument_value", [](const Vocabulary& v, int program) { return v.instruments().value(program); }, py::arg("program"))
      .def("instrument_program", [](const Vocabulary& v, int value) {
        (void)v.encode(TokenType::Instrument, value);
        return v.instruments().program(value);
      }, py::arg("value"))
      .def("time_signature_value", by_reference(&Vocabulary::time_signature_value), py::arg("numerator"), py::arg("denominator"))
      .def("time_signature", by_reference(&Vocabulary::time_signature), py::arg("value"))
      .def("num_bars_value", by_reference(&Vocabulary::num_bars_value), py::arg("bars"))
      .def("num_bars", by_reference(&Vocabulary::num_bars), py::arg("value"))
      .def("genre_value", [](const Vocabulary& v, const std::string& name) { return v.genres().value(name); }, py::arg("name"))
      .def("has_genre", [](const Vocabulary& v, const std::string& name) { return v.genres().contains(name); }, py::arg("name"))
      .def_property_readonly("genres", [](const Vocabulary& v) {
        std::vector<std::string> names;
        for (int i = 0; i < v.genres().size(); ++i) names.push_back(v.genres().name(i));
        return names;
      });
}

}  // namespace

void bind_vocab(py::module_& m) {
  bind_enum(m);
  bind_slots(m);
  bind_config(m);
  bind_vocabulary(m);
}
