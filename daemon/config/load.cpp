// SPDX-License-Identifier: Apache-2.0
#include "config/load.h"

#include <filesystem>

#include "config/schema.h"
#include "config/text_guard.h"

namespace plimsoll {

std::expected<Config, ConfigErrors> parse_config(std::string_view text, std::string_view file_name) {
    Config config = default_config();
    auto errors = parse_text(
        text, file_name, [&](const Node& root, Problems& problems) { apply_tree(root, config, problems); });
    if (!errors.empty())
        return std::unexpected(std::move(errors));
    if (!config.web.config_file.empty())  // what is relative is so to this file
        config.web.config_file =
            (std::filesystem::path(file_name).parent_path() / config.web.config_file).string();
    return config;
}

std::expected<Config, ConfigErrors> load_config(const std::string& path) {
    const auto text = read_regular_file(path, kMaxConfigBytes);
    if (!text)
        return std::unexpected(ConfigErrors{text.error().in(path).message});
    return parse_config(*text, path);
}

}  // namespace plimsoll
