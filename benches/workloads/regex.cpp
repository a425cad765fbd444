#include <regex>
std::regex r("a+b");
int main() { return std::regex_match("ab", r); }
