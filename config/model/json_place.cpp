#include "troupe/config/model/json_place.hpp"

namespace troupe {

std::string place_in_file(std::string_view file, std::string_view path,
                          const json_places& places) {
  auto place = places.find(std::string{path});
  while (place == places.end() && !path.empty()) {
    auto step = path.find_last_of(".[");
    path = path.substr(0, step == std::string_view::npos ? 0 : step);
    place = places.find(std::string{path});
  }
  auto result = std::string{file};
  if (place != places.end())
    result += ":" + std::to_string(place->second.line) + ":"
              + std::to_string(place->second.column);
  return result;
}

} // namespace troupe
